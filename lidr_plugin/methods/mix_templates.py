"""The templates of `mix`: pure functions from a prompt's texts to one SFT row.

x^d, x^l: the prompt in the dominant and in another language; y^d: its answer; t: y^d translated into l.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from lidr_plugin.methods.base import Text
from lidr_plugin.prompts.prompt import PromptText

_NOTHING = Text("")


class Texts(NamedTuple):
    """What there is of a prompt in two languages; a text that no wanted template needs is empty.

    Attributes:
        name, dominant_name: English names of the languages.
        x_d, x_l: the prompt as the files have it.
        sent: by the language of the answer, the prompt in d or l as it is sent for an answer in that language.
        y_origin: where y^d comes from: `response:en`, or `gold:en` for an answer of the data.
        request: the request for a translation of a text into the language with a name.
    """

    dominant: str
    code: str
    dominant_name: str
    name: str
    x_d: PromptText
    x_l: PromptText
    sent: Callable[[PromptText, str], PromptText]
    request: Callable[[str, str], str]
    y_d: Text = _NOTHING
    t: Text = _NOTHING
    y_origin: str = ""
    t_origin: str = ""


class Draft(NamedTuple):
    """A row before it is weighed.

    Attributes:
        language: of the text to learn.
        learned: the text that is weighed; in the row it stands between `before` and `after`.
        source: the text without which `learned` would not be; see `Sft`.
    """

    language: str
    prompt: PromptText
    learned: Text
    origin: str
    source: Text
    before: str = ""
    after: str = ""

    @property
    def output(self) -> str:
        """The text of the row."""
        return self.before + self.learned.text + self.after

    @property
    def copied(self) -> bool:
        """Whether it teaches to translate a text into itself."""
        return (self.before, self.after) == _TAGS and self.learned.text.strip() == self.source.text.strip()


_TAGS = "<translated>", "</translated>"
"""Around the answer to a request for a translation, as lidr asks for it: who trains on it translates better in the next round."""


def answer_d(x: Texts) -> Draft:
    """x^d -> y^d."""
    return Draft(x.dominant, x.sent(x.x_d, x.dominant), x.y_d, x.y_origin, x.y_d)


def answer(x: Texts) -> Draft:
    """x^l -> t."""
    return Draft(x.code, x.sent(x.x_l, x.code), x.t, x.t_origin, x.y_d)


def translation(x: Texts) -> Draft:
    """The request to translate y^d into l -> t."""
    return Draft(x.code, PromptText(x.request(x.y_d.text, x.name)), x.t, x.t_origin, x.y_d, *_TAGS)


def question(x: Texts) -> Draft:
    """The request to translate x^l into d -> x^d."""
    asked, given = Text(x.x_l.joined), Text(x.x_d.joined)
    prompt = PromptText(x.request(asked.text, x.dominant_name))
    return Draft(x.dominant, prompt, given, f"prompt:{x.dominant}", asked, *_TAGS)


def question_out(x: Texts) -> Draft:
    """The request to translate x^d into l -> x^l."""
    asked, given = Text(x.x_d.joined), Text(x.x_l.joined)
    return Draft(x.code, PromptText(x.request(asked.text, x.name)), given, f"prompt:{x.code}", asked, *_TAGS)


def cross_out(x: Texts) -> Draft:
    """x^d, to be answered in l -> t."""
    return Draft(x.code, _answered_in(x.sent(x.x_d, x.code), x.name), x.t, x.t_origin, x.y_d)


def cross_in(x: Texts) -> Draft:
    """x^l, to be answered in d -> y^d."""
    prompt = _answered_in(x.sent(x.x_l, x.dominant), x.dominant_name)
    return Draft(x.dominant, prompt, x.y_d, x.y_origin, x.y_d)


def plug(x: Texts) -> Draft:
    """x^l -> x^d, y^d and t: the pivot first, then the answer."""
    pivot = ((f"[Prompt in {x.dominant_name}]", x.x_d.joined), (f"[Answer in {x.dominant_name}]", x.y_d.text))
    before = "".join(f"{head}\n{text}\n\n" for head, text in pivot)
    return Draft(x.code, x.sent(x.x_l, x.code), x.t, x.t_origin, x.y_d, f"{before}[Answer in {x.name}]\n")


def _answered_in(prompt: PromptText, name: str) -> PromptText:
    """The prompt with the order to answer in a language at its end, wherever that is."""
    order = f"\n\nAnswer in {name}."
    return prompt._replace(input=prompt.input + order) if prompt.input else PromptText(prompt.instruction + order)


Template: TypeAlias = Callable[[Texts], Draft]
TEMPLATES: Mapping[str, Template] = {
    made.__name__: made for made in (answer_d, answer, translation, question, question_out, cross_out, cross_in, plug)
}
QUESTIONS = frozenset({"question", "question_out"})
"""Templates of prompts alone: nothing is asked for them."""
NEED_PROMPT = frozenset({"answer", "question", "question_out", "cross_in", "plug"})
"""Templates with x^l in them."""
NEED_TRANSLATION = frozenset({"answer", "translation", "cross_out", "plug"})
"""Templates with t in them."""
BESIDE: Mapping[str, Template] = {
    "question": question_out,
    "question_out": question,
    "translation": answer_d,
    "plug": answer_d,
}
"""For a template that shows another text than the one to learn: that which has it to learn, so that it must be sound as well."""
