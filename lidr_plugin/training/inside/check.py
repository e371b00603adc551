"""Compares LLaMA-Factory's template with the tokenizer's chat template on real rows, and counts tokens.

Reads a job as JSON from its standard input and prints a line `LIDR <json>`:

    {"checked": rows compared, "at_the_ends": rows that differ only by white space around a text,
     "mismatch": null | {"row", "part", "position", "template": [tokens], "chat_template": [tokens]},
     "fixes": [{"template", "default_system", "enable_thinking"}],
     "lengths": {"rows", "longest", "p99", "over": [places of rows longer than cutoff_len]} | null}
"""

import json
import sys
from typing import Any, NamedTuple

from jinja2 import TemplateError
from llamafactory.data.template import TEMPLATES, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from transformers import AutoTokenizer

Messages = list[dict[str, str]]
TARGETS = ("chosen", "output")


class Tokens(NamedTuple):
    """Ids of a prompt and of the answer up to and including the end-of-turn token."""

    prompt: list[int]
    answer: list[int]


def conversation(row: dict[str, str], answer: str) -> tuple[Messages, str | None]:
    """A row of the dataset as LLaMA-Factory joins it; and its system prompt."""
    text = "\n".join(part for part in (row["instruction"], row.get("input", "")) if part)
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": answer}]
    return turns, row.get("system") or None


def target(row: dict[str, str]) -> str:
    """The text that the model is to learn: of a pair the chosen one, of an SFT row its output."""
    return next(row[key] for key in TARGETS if key in row)


def as_trained(template: Any, tokenizer: Any, turns: Messages, system: str | None) -> Tokens:
    """What LLaMA-Factory trains on."""
    prompt, answer = template.encode_oneturn(tokenizer, turns, system)
    if template.efficient_eos:
        answer = [*answer, tokenizer.eos_token_id]
    return Tokens(prompt, answer)


def as_served(tokenizer: Any, turns: Messages, system: str | None, thinking: bool) -> Tokens:
    """What the chat template makes of it: the prompt that the model is asked, and the answer as its turn ends."""
    head = [{"role": "system", "content": system}] if system else []
    begun = tokenizer.apply_chat_template(
        [*head, turns[0]], tokenize=False, add_generation_prompt=True, enable_thinking=thinking
    )
    whole = tokenizer.apply_chat_template([*head, *turns], tokenize=False, enable_thinking=thinking)
    answer = turns[1]["content"]
    end = whole.rfind(answer.strip())
    tail = answer + whole[end + len(answer.strip()) :] if end >= 0 else answer
    return Tokens(tokenizer.encode(begun, add_special_tokens=False), tokenizer.encode(tail, add_special_tokens=False))


def until_end(ids: list[int], ends: set[int]) -> list[int]:
    """The ids up to and including the first token that ends a turn."""
    first = next((place for place, token in enumerate(ids) if token in ends), None)
    return ids if first is None else ids[: first + 1]


def compare(trained: Tokens, served: Tokens, ends: set[int]) -> tuple[str, int] | None:
    """The part and the position of the first difference."""
    pairs = (
        ("prompt", trained.prompt, served.prompt),
        ("answer", until_end(trained.answer, ends), until_end(served.answer, ends)),
    )
    for part, ours, theirs in pairs:
        if ours != theirs:
            same = (place for place, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
            return part, next(same, min(len(ours), len(theirs)))
    return None


def around(tokenizer: Any, ids: list[int], place: int) -> list[str]:
    """The tokens at a place, readable."""
    return [tokenizer.decode([token]) for token in ids[max(0, place - 2) : place + 5]]


def stripped(row: dict[str, str]) -> dict[str, str]:
    return {key: value.strip() if isinstance(value, str) else value for key, value in row.items()}


class Checker:
    """One tokenizer with the template, the system prompt and the thinking of a recipe."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.data = DataArguments(
            template=job["template"], default_system=job["default_system"], enable_thinking=job["thinking"]
        )
        load = {"revision": job["revision"], "trust_remote_code": job["trust_remote_code"]}
        self.plain = AutoTokenizer.from_pretrained(job["model"], **load)
        self.tokenizer = AutoTokenizer.from_pretrained(job["model"], **load)
        self.template = get_template_and_fix_tokenizer(self.tokenizer, self.data)
        self.ends = {self.tokenizer.eos_token_id, self.plain.eos_token_id} - {None}

    def differs(self, row: dict[str, str], template: Any, thinking: bool) -> tuple[str, int] | None:
        turns, system = conversation(row, target(row))
        trained = as_trained(template, self.tokenizer, turns, system)
        return compare(trained, as_served(self.plain, turns, system, thinking), self.ends)

    def parity(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        """Rows are compared without the white space around their texts, which many chat templates take away."""
        thinking = self.job["thinking"]
        ends = 0
        for row in rows:
            if found := self.differs(stripped(row), self.template, thinking):
                part, place = found
                turns, system = conversation(stripped(row), target(row).strip())
                trained = as_trained(self.template, self.tokenizer, turns, system)
                served = as_served(self.plain, turns, system, thinking)
                mismatch = {
                    "row": row.get("id", ""),
                    "part": part,
                    "position": place,
                    "template": around(self.tokenizer, getattr(trained, part), place),
                    "chat_template": around(self.plain, getattr(served, part), place),
                }
                return {"checked": len(rows), "at_the_ends": 0, "mismatch": mismatch, "fixes": self.fixes(rows[0])}
            ends += bool(self.differs(row, self.template, thinking))
        return {"checked": len(rows), "at_the_ends": ends, "mismatch": None, "fixes": []}

    def fixes(self, row: dict[str, str]) -> list[dict[str, Any]]:
        """Every template with which this row agrees; the present one, with another system prompt, first."""
        found = []
        row = {**stripped(row), "system": row.get("system", "")}
        names = sorted(TEMPLATES, key=lambda name: (name != self.job["template"], len(name), name))
        for name in names:
            template = TEMPLATES[name]
            own = template.default_system
            for system in dict.fromkeys((own, self.default_system())):
                template.default_system = system
                if hasattr(template, "enable_thinking"):
                    template.enable_thinking = self.job["thinking"]
                if not self.differs(row, template, self.job["thinking"]):
                    changed = None if system == own else system
                    found.append({"template": name, "default_system": changed})
                    break
            template.default_system = own
        return found

    def default_system(self) -> str:
        """The system prompt that the chat template puts in where there is none."""
        user = {"role": "user", "content": "x"}
        mark = "\x01mark\x01"
        without = self.plain.apply_chat_template([user], tokenize=False)
        try:
            with_mark = self.plain.apply_chat_template([{"role": "system", "content": mark}, user], tokenize=False)
        except TemplateError:  # a chat template that takes no system prompt
            return ""
        before, _, after = with_mark.partition(mark)
        if without.startswith(before) and without.endswith(after):
            return str(without[len(before) : len(without) - len(after)])
        return ""

    def lengths(self, rows: list[dict[str, str]]) -> dict[str, Any]:
        """Tokens of a row as LLaMA-Factory counts them against cutoff_len: prompt and the longer answer."""
        counts = []
        for row in rows:
            longest = 0
            for text in (row["chosen"], row["rejected"]) if "rejected" in row else (target(row),):
                turns, system = conversation(row, text)
                prompt, answer = as_trained(self.template, self.tokenizer, turns, system)
                longest = max(longest, len(prompt) + len(answer))
            counts.append(longest)
        ordered = sorted(counts)
        return {
            "rows": len(counts),
            "longest": ordered[-1] if ordered else 0,
            "p99": ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0,
            "over": [place for place, count in enumerate(counts) if count > self.job["cutoff_len"]],
        }


def main() -> None:
    job = json.load(sys.stdin)
    checker = Checker(job)
    rows = job["rows"]
    if job["dataset"]:
        with open(job["dataset"], encoding="utf-8") as file:
            rows = [json.loads(line) for line in file.read().split("\n") if line]
    found = checker.parity(rows[:: max(1, len(rows) // job["sample"])][: job["sample"]])
    lengths = checker.lengths(rows) if job["dataset"] else None
    print("LIDR " + json.dumps({**found, "lengths": lengths}))


if __name__ == "__main__":
    main()
