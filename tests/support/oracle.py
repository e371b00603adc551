"""The contract's definitions, written a second time, plainly and apart from the product: what pairs and reasons must be.

It asks the model directly, in sequence, with the product's request wording only (which the contract leaves free).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lidr_plugin.methods import translation
from lidr_plugin.text.repetition import is_degenerate
from tests.support import model

NAMES = {"en": "English", "de": "German", "es": "Spanish", "fr": "French"}


class Text(NamedTuple):
    """A text and whether it was cut; None stands for a translation that failed."""

    text: str | None
    cut: bool = False


def respond(prompt: str) -> Text:
    """y^l."""
    text, finish = model.answer([{"role": "user", "content": prompt}])
    return Text(text.strip(), finish == "length")


def translate(source: str, target: str) -> Text:
    """t^{a→b}: once whole; where that is missing or cut, once more by halves along the paragraphs."""
    first = _once([source], target, 0)
    if first.text and not first.cut:
        return first
    second = _once(translation.in_parts(source, 1), target, 1)
    if second.text and not second.cut:
        return second
    return first if first.text else second


def _once(parts: Sequence[str], target: str, attempt: int) -> Text:
    texts, cut = [], False
    for part in parts:
        wording = translation.TEMPLATE + (translation.REMINDER if attempt else "")
        request = wording.replace("{language}", NAMES[target]).replace("{text}", part)
        answer, finish = model.answer([{"role": "user", "content": request}])
        text, closed, _ = answer.partition("</translated>")
        cut = cut or (finish == "length" and not closed)
        texts.append(text.strip())
    return Text("\n\n".join(texts) if all(texts) else None, cut)


def expected(
    prompts: Sequence[Mapping[str, str]],
    languages: Sequence[str],
    *,
    policy: str,
    judge: Callable[[str, str, str], str | None],
    dominant: str = "en",
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Pairs and rejected candidates, in order; `judge` has the text filters: (language, chosen, rejected) to reason."""
    pairs: list[dict[str, Any]] = []
    rejected: list[dict[str, Any]] = []

    def weigh(i: int, language: str, source: Text, chosen: Text, other: Text) -> bool:
        if source.cut or (chosen.cut and chosen.text is not None):
            reason = "truncated"
        elif not source.text:
            reason = "empty"
        elif chosen.cut or (other.cut and other.text is None):
            reason = "truncated"
        elif chosen.text is None or other.text is None:
            reason = "translation_failed"
        elif not other.text:
            reason = "empty"
        else:
            reason = judge(language, chosen.text, other.text)
        row = {"id": str(i), "language": language}
        if reason is None:
            pairs.append({**row, "chosen": chosen.text, "rejected": other.text})
        else:
            rejected.append({**row, "reason": reason})
        return reason is None

    for i, prompt in enumerate(prompts):
        y = {code: respond(prompt[code]) for code in [dominant, *languages]}
        top = y[dominant]
        for code in languages:
            chosen = translate(top.text, code) if top.text and not top.cut else Text("")
            weigh(i, code, top, chosen, y[code])
        n = i % len(languages)
        turns = {"none": [], "all": languages, "last": languages[-1:], "one": [*languages[n:], *languages[:n]]}[policy]
        for code in turns:
            back = translate(y[code].text, dominant) if y[code].text and top.text and not top.cut else Text("")
            if weigh(i, dominant, top, top, back) and policy == "one":
                break
    return pairs, rejected


def judge(language: str, chosen: str, rejected: str) -> str | None:
    """The text filters in their order, without the language filter."""
    if chosen == rejected:
        return "identical"
    if is_degenerate(chosen):
        return "repetition"
    return None if 0.2 <= len(chosen) / len(rejected) <= 5.0 else "length_ratio"
