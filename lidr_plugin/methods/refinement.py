"""Translate, estimate, refine (TEaR; Feng et al., arXiv 2402.16379, NAACL 2025 Findings), in lidr's own wording.

The model looks for errors in its translation, and where it finds some, translates again with them before its eyes.
"""

import re
from dataclasses import dataclass

from lidr_plugin.completions.requests import Completion, Failure
from lidr_plugin.methods.base import Text
from lidr_plugin.methods.translation_answers import escaped, parse_translation
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.thinking import without_thoughts

_ESTIMATE = """\
Here are a text and its translation into {language}. List the errors of the translation, one a line, as
critical|major|minor: the words in question - what is wrong
If there are none, write the one word: none

<sentence>
{text}
</sentence>

<translation>
{translation}
</translation>"""
_REFINE = """

A first translation:
<translation>
{translation}
</translation>

Errors found in it:
{errors}

Give the whole translation without these errors."""
_ERROR = re.compile(
    r"^[\s*\-•\d.)]{0,8}(critical|major|minor)[\s*]{0,4}[:：]\s{0,8}(\S[^\n]{0,2000})$", re.IGNORECASE | re.MULTILINE
)
_MOST = 20
"""Errors that are named to the model."""
_LONGER = 2.0
"""By this factor at most the second translation is longer or shorter than the first."""


@dataclass(frozen=True, slots=True)
class Refiner:
    """What is asked about a first translation, and whether the second one takes its place.

    Attributes:
        gate: knows the languages of the run.
    """

    gate: LanguageGate

    def estimate(self, text: str, translation: str, target: str) -> str:
        """The turn that asks for the errors of a translation into `target`, by its English name."""
        return filled(_ESTIMATE, language=target, text=escaped(text), translation=escaped(translation))

    def correction(self, translation: str, errors: str) -> str:
        """What is added to the request for a translation."""
        return filled(_REFINE, translation=escaped(translation), errors=errors)

    def better(self, source: Text, first: Text, answer: Completion | Failure, target: str, *, thinking: bool) -> Text:
        """The second translation, or the first where the second failed, was cut, is in another language or of another length."""
        if isinstance(answer, Failure):
            return first
        found = parse_translation(answer, source.text, thinking=thinking)
        ratio = len(found.text) / max(1, len(first.text))
        if found.cut or not 1 / _LONGER <= ratio <= _LONGER or self.gate.off_target(found.text, target):
            return first
        return Text(found.text, refined=True)


def errors_in(answer: Completion | Failure, *, thinking: bool) -> str:
    """The errors that an estimate names, one a line; empty where it names none, was cut or cannot be read."""
    if isinstance(answer, Failure) or answer.cut:
        return ""
    found = _ERROR.findall(without_thoughts(answer.text, thinking=thinking))
    return "\n".join(f"{severity.lower()}: {what.strip()}" for severity, what in found[:_MOST])


def filled(wording: str, **texts: str) -> str:
    """A wording with texts in the places that it names; braces in the texts stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda match: texts[match[1]], wording)
