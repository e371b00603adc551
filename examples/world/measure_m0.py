"""What a model of the world gets right, asked with transformers alone: problems, lists, and translations of worked answers.

    <train python> examples/world/measure_m0.py FOLDER

Of fresh questions; a percentage each. `lidr eval` measures the same on the world's held-out files.
"""

import json
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from reading import TRANSLATE
from tasks import LANGUAGES, NAMES_OF_LANGUAGES, Copy, Problem
from transformers import AutoModelForCausalLM, AutoTokenizer

_BATCH = 250
_SEED = 999


def answers(model: Any, tokenizer: Any, users: Sequence[str]) -> list[str]:
    """To one user turn each, the likeliest words."""
    found: list[str] = []
    for at in range(0, len(users), _BATCH):
        turns = [[{"role": "user", "content": user}] for user in users[at : at + _BATCH]]
        texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        asked = tokenizer(texts, return_tensors="pt", padding=True)
        with torch.inference_mode():
            told = model.generate(
                input_ids=asked.input_ids, attention_mask=asked.attention_mask, max_new_tokens=72, do_sample=False
            )
        found += tokenizer.batch_decode(told[:, asked.input_ids.shape[1] :], skip_special_tokens=True)
    return found


def share(marks: Sequence[bool]) -> float:
    """In percent."""
    return round(100 * sum(marks) / len(marks), 1)


def measure(folder: Path, steps: int, questions: int) -> dict[str, dict[str, float]]:
    """By kind and language, the share of right answers; `exact` are those that are the worked answer to the letter."""
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    chance = random.Random(_SEED)
    problems = [Problem.drawn(chance, steps) for _ in range(questions)]
    lists = [Copy.drawn(chance) for _ in range(questions // 5)]
    found: dict[str, dict[str, float]] = {"problems": {}, "exact": {}, "lists": {}, "translations": {}}
    for code in LANGUAGES:
        told = answers(model, tokenizer, [x.question(code) for x in problems])
        both = list(zip(told, problems, strict=True))
        found["problems"][code] = share([(re.findall(r"\d+", text) or [""])[-1] == x.final(code) for text, x in both])
        found["exact"][code] = share([text == x.answer(code) for text, x in both])
        told = answers(model, tokenizer, [x.question(code) for x in lists])
        found["lists"][code] = share([text == x.answer(code) for text, x in zip(told, lists, strict=True)])
    for source, target in (("en", "de"), ("en", "es"), ("de", "en"), ("es", "en")):
        asked = [TRANSLATE.format(language=NAMES_OF_LANGUAGES[target], text=x.answer(source)) for x in problems]
        told = answers(model, tokenizer, asked)
        wanted = [f"<translated>\n{x.answer(target)}\n</translated>" for x in problems]
        found["translations"][f"{source} to {target}"] = share([x == y for x, y in zip(told, wanted, strict=True)])
    return found


if __name__ == "__main__":
    for kind, shares in measure(Path(sys.argv[1]), steps=2, questions=500).items():
        print(f"{kind}: {json.dumps(shares)}")
