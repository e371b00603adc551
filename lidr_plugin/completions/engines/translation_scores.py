"""How likely a translation model finds a given translation: NLLB and its kin, MADLAD."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lidr_plugin.completions.engines.forward import check_length, summed
from lidr_plugin.completions.requests import Message, Score, Scored


class Asked(NamedTuple):
    """A translation: the languages as the model calls them, and the text that is translated."""

    origin: str
    target: str
    source: str


class Translation:
    """A model with an encoder for the source and a decoder for the translation."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model

    def score(self, request: Score) -> Scored:
        """The log-probability of the translation, without the tag of its language.

        Raises:
            ValueError: the request is none for a translation, a language is not the model's, or a text is too long.
        """
        import torch

        if request.kind != "logprob":
            raise ValueError("a translation model gives log-probabilities alone")
        asked = asked_in(request.messages)
        source, tag = self.source(asked)
        ids = self._tokenizer(text_target=request.text, add_special_tokens=False)["input_ids"]
        measured = ids if request.cut else [*ids, self._tokenizer.eos_token_id]
        if not measured:
            raise ValueError("a text without a token has no score")
        said = tag + measured
        check_length(self._model, source, self._tokenizer.model_max_length)
        check_length(self._model, said, self._tokenizer.model_max_length)
        device = self._model.device
        labels = torch.tensor([said], device=device)
        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([source], device=device), labels=labels).logits[0]
            total = summed(logits[len(tag) :], labels[0, len(tag) :])
        return Scored((total, float(len(measured))))

    def source(self, asked: Asked) -> tuple[list[int], list[int]]:
        """The tokens of the source, and the tag that the translation begins with, if the source has none for it.

        Raises:
            ValueError: a language is not the model's.
        """
        tokenizer = self._tokenizer
        if hasattr(tokenizer, "src_lang"):
            self._check_known(asked.origin, asked.target)
            tokenizer.src_lang, tokenizer.tgt_lang = asked.origin, asked.target
            return tokenizer(asked.source)["input_ids"], [tokenizer.convert_tokens_to_ids(asked.target)]
        tag = f"<2{asked.target}>"
        self._check_known(tag)
        return tokenizer(f"{tag} {asked.source}")["input_ids"], []

    def _check_known(self, *codes: str) -> None:
        """What a tokenizer does not know it would read as any other word, and say nothing."""
        for code in codes:
            if self._tokenizer.convert_tokens_to_ids(code) in (None, self._tokenizer.unk_token_id):
                raise ValueError(f"the model knows no language {code}")


def asked_in(messages: Sequence[Message]) -> Asked:
    """What a request's turns ask for. Raises `ValueError` for those of a chat."""
    turns = {role.partition(":")[0]: (role.partition(":")[2], content) for role, content in messages}
    if turns.keys() != {"source", "target"}:
        raise ValueError("a translation model is asked with a turn `source:CODE` and a turn `target:CODE`")
    return Asked(turns["source"][0], turns["target"][0], turns["source"][1])
