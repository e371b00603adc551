"""Language fidelity of any outputs: are they in the language that was asked, as a whole and line by line?

The line-level rate is that of Marchisio et al. 2024 (arXiv 2406.20052): a response passes if none of its lines is clearly in
another language.
"""

from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin.evaluation.intervals import Mean, Share
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.repetition import is_degenerate, repeated_share


class Fidelity(NamedTuple):
    """A language's result: responses and lines in the right language, endless repetition, answers cut at max_tokens.

    `repeated` is the mean share of a response's 4-grams that occurred in it before, from 0 to 1: it moves long before a response
    counts as degenerate. `characters` is the mean length.
    """

    response_level: Share
    line_level: Share
    degenerate: Share
    cut: Share
    repeated: Mean
    characters: float


def lines_pass(text: str, language: str, gate: LanguageGate) -> bool:
    """Whether no line is clearly in another of the run's languages; lines too short to tell pass."""
    return not any(gate.off_target(line, language) for line in text.split("\n") if line.strip())


def measure(texts: Sequence[str], language: str, gate: LanguageGate, *, cut: int) -> Fidelity:
    """The shares of a language's responses, at least one; an empty response passes nothing."""
    n = len(texts)
    return Fidelity(
        response_level=Share(sum(bool(text) and not gate.off_target(text, language) for text in texts), n),
        line_level=Share(sum(bool(text) and lines_pass(text, language, gate) for text in texts), n),
        degenerate=Share(sum(map(is_degenerate, texts)), n),
        cut=Share(cut, n),
        repeated=Mean.of([repeated_share(text) for text in texts]),
        characters=sum(map(len, texts)) / n,
    )
