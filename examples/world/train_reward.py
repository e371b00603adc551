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
from typing import Any

import torch
from tasks import LANGUAGES, Problem, Step
from transformers import AutoModelForSequenceClassification, AutoTokenizer

_UPDATES, _PAIRS, _RATE = 200, 32, 5e-4
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


def scored(model: Any, tokenizer: Any, code: Sequence[str], asked: Sequence[Problem], told: Sequence[Problem]) -> Any:
    """A reward for each answer."""
    turns = [
        [{"role": "user", "content": x.question(c)}, {"role": "assistant", "content": y.answer(c)}]
        for c, x, y in zip(code, asked, told, strict=True)
    ]
    texts = tokenizer.apply_chat_template(turns, tokenize=False)
    return model(**tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)).logits[:, 0].float()


def train(m0: Path, folder: Path) -> None:
    """By the Bradley-Terry loss: a right answer over a wrong one to the same question, in all languages alike."""
    torch.manual_seed(_SEED)
    chance = random.Random(_SEED)
    tokenizer = AutoTokenizer.from_pretrained(m0, padding_side="right")
    model = AutoModelForSequenceClassification.from_pretrained(m0, num_labels=1, dtype=torch.float32).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=0.0)
    for update in range(_UPDATES):
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (update + 1) / 20) * (1 - update / _UPDATES)
        right = [Problem.drawn(chance, 2) for _ in range(_PAIRS)]
        wrong, codes = [mistaken(x, chance) for x in right], [chance.choice(LANGUAGES) for _ in right]
        better, worse = scored(model, tokenizer, codes * 2, right * 2, right + wrong).chunk(2)
        loss = -torch.nn.functional.logsigmoid(better - worse).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
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
            better, worse = (scored(model, tokenizer, [code] * _FRESH, right, told) for told in (right, wrong))
        found[code] = round(100 * (better > worse).float().mean().item(), 1)
    return found


if __name__ == "__main__":
    train(Path(sys.argv[1]), Path(sys.argv[2]))
