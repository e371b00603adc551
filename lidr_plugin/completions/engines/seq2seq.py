"""Translation models in this process (NLLB, MADLAD): plain text in, plain text out, a sentence at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from lidr_plugin.completions.engines.transformers import Transformers, drawn, ends_of
from lidr_plugin.completions.engines.translation_scores import Asked, Translation, asked_in
from lidr_plugin.completions.requests import Chat, Completion, Need, Sampling, Score, Scored
from lidr_plugin.text.sentences import lines_of, text_of

_LONGEST = 512
"""New tokens of a sentence: a model that gets so far has lost its way."""


class _Said(NamedTuple):
    """A sentence's translation, with the tokens that it took."""

    text: str
    cut: bool
    read: int
    new: int


class Seq2Seq(Transformers):
    """Asked with a turn `source:CODE` that has the text, and a turn `target:CODE` that has none, as for a score."""

    scores: frozenset[Need] = frozenset({"logprob"})
    _translation: Translation

    def _load(self) -> None:
        import torch
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        options: dict[str, Any] = {"revision": self._revision, "trust_remote_code": self._trust}
        self._tokenizer = AutoTokenizer.from_pretrained(self._name, **options)
        self._model = AutoModelForSeq2SeqLM.from_pretrained(self._name, dtype=self._dtype, **options).to(device).eval()
        self._translation = Translation(self._tokenizer, self._model)

    def _render(self, request: Chat) -> str:
        return asked_in(request.messages).source

    def _forward(self, request: Score) -> Scored:
        return self._translation.score(request)

    def _generate(self, batch: list[tuple[Chat, str, asyncio.Future[Completion]]]) -> list[Completion]:
        requests = [request for request, _, _ in batch]
        sampling = requests[0].sampling
        texts = [lines_of(text) for _, text, _ in batch]
        asked = [
            asked_in(request.messages)._replace(source=sentence)
            for request, lines in zip(requests, texts, strict=True)
            for line in lines
            for sentence in line.sentences
        ]
        # Equals in length go together, as a batch is as slow as its longest sentence.
        order = sorted(range(len(asked)), key=lambda place: -len(asked[place].source))
        options = drawn(sampling, requests)
        found = {
            place: said
            for first in range(0, len(order), self._batch_size)
            for places in [order[first : first + self._batch_size]]
            for place, said in zip(places, self._said([asked[x] for x in places], sampling, options), strict=True)
        }
        inorder = iter([found[place] for place in range(len(asked))])
        answers = []
        for lines in texts:
            said = [next(inorder) for line in lines for _ in line.sentences]
            # A text with a gap would be taken for a whole one.
            text = text_of(lines, [x.text for x in said]) if all(x.text for x in said) else ""
            reason = "length" if any(x.cut for x in said) else "stop"
            answers.append(Completion(text, reason, sum(x.read for x in said), sum(x.new for x in said)))
        return answers

    def _said(self, asked: Sequence[Asked], sampling: Sampling, options: dict[str, Any]) -> list[_Said]:
        """The translations of a batch of sentences, whatever their languages."""
        import torch

        sources, tags = zip(*map(self._translation.source, asked), strict=True)
        inputs = self._tokenizer.pad({"input_ids": [*sources]}, return_tensors="pt").to(self._model.device)
        begun = torch.tensor([[self._model.config.decoder_start_token_id, *tag] for tag in tags])
        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                **options,
                decoder_input_ids=begun.to(self._model.device),
                max_new_tokens=min(sampling.max_tokens, _LONGEST),
                repetition_penalty=sampling.repetition_penalty,
            )
        stops = ends_of(self._model)
        answers = []
        for source, ids in zip(sources, output[:, begun.shape[1] :].tolist(), strict=True):
            length = next((place for place, token in enumerate(ids) if token in stops), len(ids))
            text = self._tokenizer.decode(ids[:length], skip_special_tokens=True).strip()
            answers.append(_Said(text, length == len(ids), len(source), min(length + 1, len(ids))))
        return answers
