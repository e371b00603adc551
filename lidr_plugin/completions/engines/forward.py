"""Scores of texts by one forward pass in this process, a text at a time: what else waits changes no number."""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

from lidr_plugin.completions.engines.turns import TRIAL_TURNS, Turn, end_of_turn, turn_apart, turn_of
from lidr_plugin.completions.requests import Message, Score, Scored

_ROWS = 256
"""Tokens whose probabilities over the whole vocabulary are in memory at once in single precision."""


class Forward(Protocol):
    """A model that is loaded, and what it says of a text."""

    def score(self, request: Score) -> Scored:
        """Raises `ValueError` where the model has no score for such a request, or the text is too long for it."""


class Causal:
    """A chat model: log-probabilities of answers, and means of hidden states over them."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._end = self._end_of_turn()

    def score(self, request: Score) -> Scored:
        """See `Forward`."""
        turn = self._turn(request)
        check_length(self._model, turn.prompt + turn.measured)
        if request.kind == "logprob":
            ids = turn.measured
            return Scored((self._log_probability(turn.prompt, ids), float(len(ids))), turn.apart)
        if request.layer is None:
            raise ValueError("a chat model has no embedding of its own: name a layer, or take a sentence encoder")
        return Scored(self._hidden(turn, request.layer), turn.apart)

    def _end_of_turn(self) -> int:
        try:
            begun = self._ids(list(TRIAL_TURNS), continue_final_message=True)
            found = end_of_turn(begun, self._ids(list(TRIAL_TURNS)))
        except ValueError:  # it does not leave a turn open
            found = None
        if found is None and (found := self._tokenizer.eos_token_id) is None:
            raise ValueError("neither its chat template nor its tokenizer ends a turn")
        return int(found)

    def _turn(self, request: Score) -> Turn:
        asked = [message._asdict() for message in request.messages]
        prompt = self._ids(asked, add_generation_prompt=True)
        whole = self._ids([*asked, Message("assistant", request.text)._asdict()])
        turn = turn_of(prompt, whole, self._end, cut=request.cut)
        if turn is None:
            alone = self._tokenizer.encode(request.text, add_special_tokens=False)
            turn = turn_apart(prompt, alone, self._end, cut=request.cut)
        if not turn.prompt or not (turn.measured if request.kind == "logprob" else turn.text):
            raise ValueError("a text without a token has no score")
        return turn

    def _ids(self, messages: list[dict[str, str]], **options: bool) -> list[int]:
        return template_ids(self._tokenizer, messages, enable_thinking=False, **options)

    def _log_probability(self, prompt: list[int], ids: list[int]) -> float:
        import torch

        tensor, count = torch.tensor([prompt + ids], device=self._model.device), len(ids)
        # Of a long prompt the probabilities are not wanted, which are most of the memory.
        last = "logits_to_keep" in inspect.signature(self._model.forward).parameters
        options = {"logits_to_keep": count + 1} if last else {}
        with torch.inference_mode():
            logits = self._model(input_ids=tensor, use_cache=False, **options).logits[0, -count - 1 : -1]
            return summed(logits, tensor[0, -count:])

    def _hidden(self, turn: Turn, layer: int) -> tuple[float, ...]:
        import torch

        tensor = torch.tensor([turn.prompt + turn.text], device=self._model.device)
        with torch.inference_mode():
            states = self._model(input_ids=tensor, use_cache=False, output_hidden_states=True).hidden_states
            if not 0 <= layer < len(states):
                raise ValueError(f"no hidden layer {layer}: the model has 0 (its embeddings) to {len(states) - 1}")
            mean = states[layer][0, len(turn.prompt) :].float().mean(dim=0)
        return tuple(mean.tolist())


class Rewards:
    """A classifier with one output: the raw number for the last turn of a chat."""

    def __init__(self, tokenizer: Any, model: Any) -> None:
        if model.config.num_labels != 1:
            raise ValueError(f"it has {model.config.num_labels} outputs: a reward model has one")
        self._tokenizer = tokenizer
        self._model = model

    def score(self, request: Score) -> Scored:
        """See `Forward`."""
        import torch

        turns = [message._asdict() for message in (*request.messages, Message("assistant", request.text))]
        ids = template_ids(self._tokenizer, turns)
        check_length(self._model, ids)
        with torch.inference_mode():
            logits = self._model(input_ids=torch.tensor([ids], device=self._model.device)).logits
        return Scored((float(logits[0][0]),))


class SentenceEncoder:
    """An encoder: its own embedding of a text.

    Args:
        pooling: how it makes one vector of many: `cls`, `mean` or `last`; empty: its pooler.
    """

    def __init__(self, tokenizer: Any, model: Any, pooling: str) -> None:
        self._tokenizer = tokenizer
        self._model = model
        self._pooling = pooling

    def score(self, request: Score) -> Scored:
        """See `Forward`."""
        import torch

        ids = self._tokenizer(request.text)["input_ids"]
        check_length(self._model, ids, self._tokenizer.model_max_length)
        with torch.inference_mode():
            output = self._model(input_ids=torch.tensor([ids], device=self._model.device))
        if not self._pooling:
            return Scored(tuple(output.pooler_output[0].float().tolist()))
        states = output.last_hidden_state[0].float()
        vector = {"cls": states[0], "last": states[-1]}.get(self._pooling, states.mean(dim=0))
        return Scored(tuple(vector.tolist()))


def summed(logits: Any, targets: Any) -> float:
    """The sum of the log-probabilities of tokens, in single precision each and in double together."""
    import torch

    total = 0.0
    for rows, said in zip(logits.split(_ROWS), targets.split(_ROWS), strict=True):
        found = torch.log_softmax(rows.float(), dim=-1).gather(1, said[:, None])
        total += float(found.double().sum())
    return total


def template_ids(tokenizer: Any, messages: list[dict[str, str]], **options: bool) -> list[int]:
    """A chat in tokens; the template's own beginning of a text is the only one."""
    from jinja2 import TemplateError

    try:
        text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
    except TemplateError as error:
        raise ValueError(f"the chat template refuses it: {error}") from None
    found: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return found


def check_length(model: Any, ids: Sequence[int], most: int | None = None) -> None:
    """Raises `ValueError` for what is longer than the model's context: a text is never cut for a score."""
    context = getattr(model.config, "max_position_embeddings", None)
    for limit in (context, most):
        if limit and len(ids) > limit:
            raise ValueError(f"{len(ids)} tokens, and the model's context has {limit}")
