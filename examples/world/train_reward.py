"""Trains a reward model for the world: M0 with one number in place of the next token, which tells right answers from wrong ones.

    <train python> examples/world/train_reward.py M0 FOLDER

The wrong ones make a mistake in one step and go on with it. What it tells apart of fresh answers is in FOLDER.json.
"""

import json
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tasks import LANGUAGES, Problem, Step
from train_m0 import optimizers_of
from transformers import AutoModelForSequenceClassification, AutoTokenizer

_UPDATES, _PAIRS, _SHARE_OF_RATE = 200, 32, 0.5
_FRESH = 200
_SEED = 777


def mistaken(problem: Problem, chance: random.Random) -> Problem:
    """The same problem with one sum wrong, and what follows from it."""
    wrong, count, steps = chance.randrange(len(problem.steps)), problem.steps[0].before, list[Step]()
    for number, step in enumerate(problem.steps):
        after = count + (step.after - step.before) if step.deed.sign != "*" else 2 * count
        if number == wrong:
            after += chance.choice([x for x in (-3, -2, -1, 1, 2, 3) if after + x > 0])
        steps.append(Step(step.deed, step.k, count, after))
        count = after
    return replace(problem, steps=steps)


class Read(NamedTuple):
    """Answers as a model reads them: a score after each token, whether all was right so far, and which tokens are filled."""

    scores: torch.Tensor
    tokens: torch.Tensor
    mask: torch.Tensor

    @property
    def rewards(self) -> torch.Tensor:
        """Of each answer as a whole: what lidr will be told."""
        return self.scores[torch.arange(len(self.scores)), self.mask.sum(1) - 1]


def read(model: Any, tokenizer: Any, code: Sequence[str], asked: Sequence[Problem], told: Sequence[Problem]) -> Read:
    """Each answer behind its question."""
    turns = [
        [{"role": "user", "content": x.question(c)}, {"role": "assistant", "content": y.answer(c)}]
        for c, x, y in zip(code, asked, told, strict=True)
    ]
    texts = tokenizer.apply_chat_template(turns, tokenize=False)
    found = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
    hidden = model.model(input_ids=found.input_ids, attention_mask=found.attention_mask).last_hidden_state
    return Read(model.score(hidden)[..., 0].float(), found.input_ids, found.attention_mask)


def loss_of(both: Read) -> torch.Tensor:
    """Cross-entropy after every token: the first half of the rows is right throughout, the second until it departs from that."""
    right, wrong = both.tokens.chunk(2)
    sound = torch.cat([torch.ones_like(right), (right == wrong).long().cumprod(1)])
    each = torch.nn.functional.binary_cross_entropy_with_logits(both.scores, sound.float(), reduction="none")
    return (each * both.mask).sum() / both.mask.sum()


def train(m0: Path, folder: Path) -> None:
    """On right answers and wrong ones to the same questions, in all languages alike.

    It is told after every token what is right so far, and is a poor judge all the same: some 58 of 100 fresh pairs.
    """
    torch.manual_seed(_SEED)
    chance = random.Random(_SEED)
    tokenizer = AutoTokenizer.from_pretrained(m0, padding_side="right")
    model = AutoModelForSequenceClassification.from_pretrained(m0, num_labels=1, dtype=torch.float32).train()
    optimizers = optimizers_of(model)
    for update in range(_UPDATES):
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = _SHARE_OF_RATE * group["highest"] * min(1, (update + 1) / 20) * (1 - update / _UPDATES)
        right = [Problem.drawn(chance, 2) for _ in range(_PAIRS)]
        wrong, codes = [mistaken(x, chance) for x in right], [chance.choice(LANGUAGES) for _ in right]
        loss = loss_of(read(model, tokenizer, codes * 2, right * 2, right + wrong))
        model.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        if update % 20 == 19:
            print(f"update {update + 1} of {_UPDATES}: loss {loss.item():.4f}", flush=True)
    tokenizer.save_pretrained(folder)
    model.eval().save_pretrained(folder)
    folder.with_suffix(".json").write_text(json.dumps({"right": told_apart(model, tokenizer)}, indent=1) + "\n")


def told_apart(model: Any, tokenizer: Any) -> dict[str, float]:
    """By language, of how many fresh pairs the right answer has the higher reward, in percent."""
    chance, found = random.Random(_SEED + 1), {}
    right = [Problem.drawn(chance, 2) for _ in range(_FRESH)]
    wrong = [mistaken(x, chance) for x in right]
    for code in LANGUAGES:
        with torch.inference_mode():
            better, worse = (read(model, tokenizer, [code] * _FRESH, right, told).rewards for told in (right, wrong))
        found[code] = round(100 * (better > worse).float().mean().item(), 1)
    return found


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
