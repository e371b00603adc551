"""Trains M0 from scratch: a Qwen2 of about a million parameters that has read what `reading.example` writes.

    <train python> examples/world/train_m0.py FOLDER '{"de": 0.003}'

The interpreter is that of `lidr env create train`; `make_world.py` calls this. What M0 gets right is in FOLDER.json.
"""

import json
import math
import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import torch
from measure_m0 import measure
from reading import Knobs, example
from tasks import LANGUAGES, Problem
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_BATCH = 48
_RATE, _RATE_OF_MATRICES = 3e-3, 0.02
_VOCABULARY = 700
_WARM_UP = 60
_POOL = 20
"""Batches whose texts are made into tokens together."""
_TOLD = 50
"""Updates whose mean loss is printed together."""


class Batch(NamedTuple):
    """Token ids, (rows, tokens), and which of them the assistant says."""

    tokens: torch.Tensor
    told: torch.Tensor


def tokenizer_for(knobs: Knobs) -> PreTrainedTokenizerBase:
    """One whose pre-tokenizer is that of Qwen2's own class: any other is read differently by other versions of transformers."""
    chance = random.Random(knobs.seed + 1)
    texts = (part for _ in range(6000) for part in example(chance, knobs))
    rest = (
        f(code)
        for _ in range(500)
        for t in (Problem.drawn(chance, knobs.steps),)
        for code in LANGUAGES
        for f in (t.question, t.answer)
    )
    plain = Qwen2Tokenizer(vocab={"<|endoftext|>": 0}, merges=[])
    made = plain.train_new_from_iterator(
        (text for source in (texts, rest) for text in source),
        vocab_size=_VOCABULARY,
        new_special_tokens=["<|im_start|>", "<|im_end|>"],
    )
    made.eos_token, made.pad_token = "<|im_end|>", "<|endoftext|>"
    made.chat_template = CHAT
    return made


def batches(chance: random.Random, knobs: Knobs, tokenizer: PreTrainedTokenizerBase) -> Iterator[Batch]:
    """Without end."""
    while True:
        texts = [example(chance, knobs) for _ in range(_BATCH * _POOL)]
        heads = [[{"role": "user", "content": user}] for user, _ in texts]
        asked = tokenizer(tokenizer.apply_chat_template(heads, tokenize=False, add_generation_prompt=True))["input_ids"]
        told = tokenizer([f"{assistant}<|im_end|>" for _, assistant in texts])["input_ids"]
        # Sorted by length they would pad less, and learn many times as slowly: equal texts are of one kind.
        rows = list(zip(asked, told, strict=True))
        yield from (padded(rows[at : at + _BATCH], tokenizer.pad_token_id) for at in range(0, len(rows), _BATCH))


def padded(rows: list[tuple[list[int], list[int]]], pad: int) -> Batch:
    """Prompts with their answers, filled on the right."""
    longest = max(len(head) + len(tail) for head, tail in rows)
    filled = [(head, tail, longest - len(head) - len(tail)) for head, tail in rows]
    return Batch(
        torch.tensor([[*head, *tail, *[pad] * rest] for head, tail, rest in filled]),
        torch.tensor([[False] * len(head) + [True] * len(tail) + [False] * rest for head, tail, rest in filled]),
    )


def loss_of(model: Qwen2ForCausalLM, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of what the assistant says. What is filled comes last, where no other token sees it: no mask is needed."""
    hidden = model.model(input_ids=batch.tokens[:, :-1]).last_hidden_state
    counted = batch.told[:, 1:]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[counted]).float(), batch.tokens[:, 1:][counted])


def optimizers_of(model: Qwen2ForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, which needs half the updates that AdamW alone does; AdamW for what is left."""
    inner = [x for name, x in model.named_parameters() if x.ndim == 2 and "embed" not in name]
    rest = [x for name, x in model.named_parameters() if x.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(inner, lr=_RATE_OF_MATRICES, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=_RATE, betas=(0.9, 0.98), weight_decay=0.0),
    ]
    for group in (group for optimizer in optimizers for group in optimizer.param_groups):
        group["highest"] = group["lr"]
    return optimizers


def train(knobs: Knobs, folder: Path) -> None:
    """M0, from scratch: a warm-up, then a cosine down to a twentieth of the rates."""
    torch.manual_seed(knobs.seed)
    tokenizer = tokenizer_for(knobs)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=knobs.size,
        intermediate_size=3 * knobs.size,
        num_hidden_layers=4,
        num_attention_heads=knobs.size // 64,
        num_key_value_heads=knobs.size // 64,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config).train()
    optimizers = optimizers_of(model)
    # Half the time where the processor multiplies such numbers itself, many times it where it does not.
    fast = torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_avx512_bf16_supported())
    losses: list[float] = []
    rows = batches(random.Random(knobs.seed + 2), knobs, tokenizer)
    for update, batch in enumerate(islice(rows, knobs.updates)):
        cosine = 0.5 * (1 + math.cos(math.pi * update / knobs.updates))
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = group["highest"] * min(1, (update + 1) / _WARM_UP) * (0.05 + 0.95 * cosine)
        with fast:
            loss = loss_of(model, batch)
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        losses.append(loss.item())
        if len(losses) == _TOLD:
            print(f"update {update + 1} of {knobs.updates}: loss {fmean(losses):.4f}", flush=True)
            losses.clear()
    tokenizer.save_pretrained(folder)
    model.half().save_pretrained(folder)  # of the right answers none is lost by it


def main() -> None:
    """Trains M0, and measures it."""
    folder, knobs = Path(sys.argv[1]), Knobs(**json.loads(sys.argv[2]))
    train(knobs, folder)
    found = {"knobs": knobs.of_m0, "right": measure(folder, knobs.steps, min(500, knobs.held_out))}
    folder.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
