"""What an engine is wanted for."""

from typing import NamedTuple

from lidr_plugin.completions.requests import Need


class Purpose(NamedTuple):
    """What a model is for.

    Attributes:
        key: what names it in the configuration, for errors.
        max_tokens: new tokens of the longest answer that will be asked for.
        log: where a server that lidr starts for it writes.
        top_logprobs: the most that a request will ask for.
        scores: what it is asked for in place of answers. A model that answers may be asked for log-probabilities all the same.
        translates: whether it is a translation model, which is asked with a text and its languages, not in words.
    """

    key: str
    max_tokens: int
    log: str = "vllm.log"
    top_logprobs: int = 0
    scores: frozenset[Need] = frozenset()
    translates: bool = False
