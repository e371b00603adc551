"""Makes a small world: parallel prompts, held-out questions, and M0, a model with a known imbalance, trained from scratch.

    <train python> examples/world/make_world.py runs/world

The interpreter is that of `lidr env create train`. M0 is a Qwen2 of about a million parameters that has read answers mostly in
English, hardly any in German and Spanish, and translations both ways. The same seed and knobs make the same world.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from tasks import LANGUAGES, NAMES_OF_LANGUAGES, Backwards, Problem, Task
from transformers import PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TRANSLATE = "Translate into {language}: {text}"
"""What `translation.template` in lidr.yaml has too."""
_BATCH = 96
_RATE = 3e-3
_VOCABULARY = 700


@dataclass(frozen=True, slots=True)
class Knobs:
    """What a world is like; shares are of all that M0 reads. What they leave is translations, as many each way.

    Attributes:
        en, de, es: worked answers to problems.
        backwards: lists told backwards, in each language alike: a skill that the prompts do not ask for.
        noise: of the translations, how many have a wrong number.
        steps: of a problem.
        size: of M0's hidden layers; a multiple of 128, for vLLM wants heads of 64.
        updates: of M0's training.
    """

    en: float = 0.45
    de: float = 0.0015
    es: float = 0.003
    backwards: float = 0.12
    noise: float = 0.0
    steps: int = 2
    size: int = 128
    updates: int = 700
    prompts: int = 4000
    held_out: int = 1000
    seed: int = 0


def different(chance: random.Random, count: int, knobs: Knobs, taken: set[str]) -> Iterator[Problem]:
    """So many problems, none of them taken."""
    while count:
        problem = Problem.drawn(chance, knobs.steps)
        if (text := problem.question("en")) not in taken:
            taken.add(text)
            count -= 1
            yield problem


def write_questions(folder: Path, tasks: list[Any]) -> None:
    """One file a language, joined by their ids."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in LANGUAGES:
        rows = [
            {"id": str(n), "instruction": task.question(code), "final_answer": task.final(code)}
            for n, task in enumerate(tasks)
        ]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{code}.jsonl").write_text(text, encoding="utf-8")


def spoilt(text: str, chance: random.Random) -> str:
    """A text with one of its numbers changed."""
    numbers = [(at, word) for at, word in enumerate(text.split(" ")) if word.strip(".").isdigit()]
    if not numbers:
        return text
    at, word = chance.choice(numbers)
    words = text.split(" ")
    words[at] = word.replace(word.strip("."), str(chance.randint(1, 40)))
    return " ".join(words)


def example(chance: random.Random, knobs: Knobs) -> tuple[str, str]:
    """A user turn, and the assistant's."""
    x = chance.random()
    for code in LANGUAGES:
        if (x := x - getattr(knobs, code)) < 0:
            problem = Problem.drawn(chance, knobs.steps)
            return problem.question(code), problem.answer(code)
    task: Task = Backwards.drawn(chance) if x < knobs.backwards else Problem.drawn(chance, knobs.steps)
    if x < knobs.backwards:
        code = chance.choice(LANGUAGES)
        return task.question(code), task.answer(code)
    other = chance.choice([code for code in LANGUAGES if code != "en"])
    source, target = chance.sample(["en", other], 2)
    if chance.random() < 0.2:
        task = Backwards.drawn(chance)
    text = chance.choice((task.question, task.answer, task.answer))
    asked = TRANSLATE.format(language=NAMES_OF_LANGUAGES[target], text=text(source))
    told = spoilt(text(target), chance) if chance.random() < knobs.noise else text(target)
    return asked, f"<translated>\n{told}\n</translated>"


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


def batch(chance: random.Random, knobs: Knobs, tokenizer: PreTrainedTokenizerBase) -> dict[str, torch.Tensor]:
    """Token ids, and labels for what the assistant says, (rows, tokens)."""
    rows = []
    for _ in range(_BATCH):
        user, assistant = example(chance, knobs)
        turns = [{"role": "user", "content": user}]
        head = tokenizer.encode(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
        rows.append((head, tokenizer.encode(f"{assistant}<|im_end|>")))
    longest = max(len(head) + len(tail) for head, tail in rows)
    filled = [(*row, longest - len(row[0]) - len(row[1])) for row in rows]
    pad = tokenizer.pad_token_id
    return {
        "input_ids": torch.tensor([[*head, *tail, *[pad] * rest] for head, tail, rest in filled]),
        "attention_mask": torch.tensor([[1] * (longest - rest) + [0] * rest for _, _, rest in filled]),
        "labels": torch.tensor([[-100] * len(head) + tail + [-100] * rest for head, tail, rest in filled]),
    }


def train(knobs: Knobs, folder: Path) -> None:
    """M0, from scratch: AdamW, a warm-up of 100 updates, then a cosine down to a twentieth."""
    torch.manual_seed(knobs.seed)
    tokenizer, chance = tokenizer_for(knobs), random.Random(knobs.seed + 2)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=knobs.size,
        intermediate_size=3 * knobs.size,
        num_hidden_layers=4,
        num_attention_heads=knobs.size // 64,
        num_key_value_heads=knobs.size // 64,
        max_position_embeddings=512,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    model = Qwen2ForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    begun = time.monotonic()
    for update in range(knobs.updates):
        cosine = 0.5 * (1 + math.cos(math.pi * update / knobs.updates))
        for group in optimizer.param_groups:
            group["lr"] = _RATE * min(1, (update + 1) / 100) * (0.05 + 0.95 * cosine)
        loss = model(**batch(chance, knobs, tokenizer)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if update % 50 == 49:
            seconds = time.monotonic() - begun
            print(f"update {update + 1} of {knobs.updates}: loss {loss.item():.4f}, {seconds:.0f} s", flush=True)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    for knob in fields(Knobs):
        parser.add_argument(f"--{knob.name.replace('_', '-')}", type=type(knob.default), default=knob.default)
    given = vars(parser.parse_args())
    folder, knobs = given.pop("folder"), Knobs(**given)
    record = folder / "world.json"
    if record.exists() and json.loads(record.read_text()) == asdict(knobs):
        print(f"{folder}: made before")
        return
    chance, taken = random.Random(knobs.seed), set[str]()
    write_questions(folder / "prompts", list(different(chance, knobs.prompts, knobs, taken)))
    write_questions(folder / "held_out", list(different(chance, knobs.held_out, knobs, taken)))
    write_questions(folder / "backwards", [Backwards.drawn(chance) for _ in range(min(200, knobs.held_out))])
    train(knobs, folder / "m0")
    record.write_text(json.dumps(asdict(knobs), indent=1) + "\n")
    print(f"{folder}: prompts, held-out questions, and M0 in {folder / 'm0'}")


if __name__ == "__main__":
    main()
