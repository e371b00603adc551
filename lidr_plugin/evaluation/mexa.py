"""MEXA (Kargaran et al. 2024, arXiv 2410.05873): does the model represent a sentence in a language as it does the dominant one?

Two parallel sentences are aligned if their embeddings are closer to each other than to any other sentence of either language; the
share of those that are goes with how well the model works in the language. Embeddings are the means of a hidden layer over the
sentence (the paper weights them by position), after one and the same turn of the user.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lidr_plugin.completions.requests import Failure, Message
from lidr_plugin.completions.steps import ScoreAnswer, Steps, together
from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.intervals import Share
from lidr_plugin.machine.hub import layers_of
from lidr_plugin.methods.base import POLICY, Ask
from lidr_plugin.prompts.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TURN = Message("user", "Write a sentence.")
Vectors: TypeAlias = Mapping[tuple[str, int], Sequence[float]]
"""A prompt's embeddings, by language and layer."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """A language beside the dominant one.

    Attributes:
        layers: by the number of the layer, the share of the sentences that are aligned there.
        best: the layer with the greatest.
    """

    layers: Mapping[str, Share]
    best: str


def layers_for(config: Config) -> tuple[int, ...]:
    """The layers that are looked at: a quarter, half and three quarters of the way up; there languages meet, if they do.

    Raises:
        InputError: the model's number of layers is nowhere to be read.
    """
    count = layers_of(config.model_name_or_path, config.model_revision, key="--mexa")
    return tuple(dict.fromkeys(max(1, count * quarter // 4) for quarter in (1, 2, 3)))


def embeddings(prompt: Prompt, codes: Sequence[str], layers: Sequence[int], ask: Ask) -> Steps[Vectors]:
    """What the model makes of the prompt in each language that it has; nothing of what could not be embedded."""
    places = [(code, layer) for code in codes if code in prompt.texts for layer in layers]

    def embedding(code: str, layer: int) -> Steps[ScoreAnswer]:
        text, row = prompt.texts[code].joined, f"{prompt.id} [{code}, layer {layer}]"
        answer: ScoreAnswer = yield ask.score(POLICY, "embed", [_TURN], text, layer=layer, row=row)
        return answer

    answers = yield from together(*(embedding(*place) for place in places))
    return {place: x.values for place, x in zip(places, answers, strict=True) if not isinstance(x, Failure)}


def alignments(found: Sequence[Vectors], dominant: str, others: Sequence[str]) -> dict[str, Alignment]:
    """By language; none where fewer than two prompts are there in both."""
    alike = {code: _alignment(found, dominant, code) for code in others}
    return {code: alignment for code, alignment in alike.items() if alignment}


def _alignment(found: Sequence[Vectors], dominant: str, code: str) -> Alignment | None:
    import numpy as np

    layers: dict[str, Share] = {}
    for layer in dict.fromkeys(layer for vectors in found for _, layer in vectors):
        pairs = [(x[dominant, layer], x[code, layer]) for x in found if (dominant, layer) in x and (code, layer) in x]
        if len(pairs) > 1:
            one, other = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
            hits = aligned(_unit(one) @ _unit(other).T)
            layers[str(layer)] = Share(int(hits.sum()), len(pairs))
    return Alignment(layers, max(layers, key=lambda layer: layers[layer].share)) if layers else None


def aligned(similarity: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Of each place on the diagonal, whether it is greater than all else in its row and in its column."""
    import numpy as np

    others = similarity.copy()
    np.fill_diagonal(others, -np.inf)
    own = similarity.diagonal()
    return np.asarray((own > others.max(axis=0)) & (own > others.max(axis=1)), dtype=np.bool_)


def _unit(vectors: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)
