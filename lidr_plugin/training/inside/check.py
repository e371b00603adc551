"""Compares LLaMA-Factory's template with the tokenizer's chat template on real rows, and counts tokens.

Reads a job as JSON from its standard input and prints a line `LIDR <json>`, with the fields of `checks.Parity`.
"""

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import TemplateError
from llamafactory.data.template import TEMPLATES, get_template_and_fix_tokenizer
from llamafactory.hparams import DataArguments
from transformers import AutoTokenizer

Row = dict[str, str]


class Tokens(NamedTuple):
    """Ids of a prompt, and of an answer up to and including the token that ends its turn."""

    prompt: list[int]
    answer: list[int]


class Difference(NamedTuple):
    """The part and the position of the first difference, and the part's ids."""

    part: str
    position: int
    trained: list[int]
    served: list[int]


def joined(row: Row) -> str:
    """The user turn as LLaMA-Factory joins it."""
    return "\n".join(part for part in (row["instruction"], row.get("input", "")) if part)


def stripped(row: Row) -> Row:
    return {key: value.strip() if isinstance(value, str) else value for key, value in row.items()}


def around(tokenizer: Any, ids: list[int], position: int) -> list[str]:
    """The tokens at a position, readable."""
    return [tokenizer.decode([token]) for token in ids[max(0, position - 2) : position + 5]]


class Checker:
    """One tokenizer with the template, the system prompt and the thinking of a recipe."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.name, self.thinking = settings["template"], settings["enable_thinking"]
        revision, trust = settings.get("model_revision", "main"), settings["trust_remote_code"]
        self.plain, self.tokenizer = (
            AutoTokenizer.from_pretrained(settings["model_name_or_path"], revision=revision, trust_remote_code=trust)
            for _ in range(2)
        )
        wanted = {key: settings[key] for key in ("template", "default_system", "enable_thinking") if key in settings}
        self.template = get_template_and_fix_tokenizer(self.tokenizer, DataArguments(**wanted))
        self.ends = {self.tokenizer.eos_token_id, self.plain.eos_token_id} - {None}

    def as_trained(self, row: Row, answer: str, template: Any) -> Tokens:
        """What LLaMA-Factory trains on."""
        turns = [{"role": "user", "content": joined(row)}, {"role": "assistant", "content": answer}]
        prompt, ids = template.encode_oneturn(self.tokenizer, turns, row.get("system") or None)
        return Tokens(prompt, [*ids, self.tokenizer.eos_token_id] if template.efficient_eos else ids)

    def as_served(self, row: Row, answer: str) -> Tokens:
        """What the chat template makes of it: the prompt that the model is asked, and the answer as its turn ends."""
        asked = [{"role": "system", "content": row["system"]}] if row.get("system") else []
        asked.append({"role": "user", "content": joined(row)})
        told = [*asked, {"role": "assistant", "content": answer}]
        options = {"tokenize": False, "enable_thinking": self.thinking}
        prompt = self.plain.apply_chat_template(asked, add_generation_prompt=True, **options)
        whole = self.plain.apply_chat_template(told, **options)
        end = whole.rfind(answer.strip())
        tail = answer + whole[end + len(answer.strip()) :] if end >= 0 else answer
        return Tokens(*(self.plain.encode(text, add_special_tokens=False) for text in (prompt, tail)))

    def until_end(self, ids: list[int]) -> list[int]:
        """The ids up to and including the first token that ends a turn."""
        first = next((place for place, token in enumerate(ids) if token in self.ends), len(ids))
        return ids[: first + 1]

    def difference(self, row: Row, template: Any) -> Difference | None:
        """Where the two first differ, in the text that the model is to learn: chosen of a pair, output of an SFT row."""
        answer = row["chosen"] if "chosen" in row else row["output"]
        trained, served = self.as_trained(row, answer, template), self.as_served(row, answer)
        parts = (
            ("prompt", trained.prompt, served.prompt),
            ("answer", self.until_end(trained.answer), self.until_end(served.answer)),
        )
        for part, ours, theirs in parts:
            if ours != theirs:
                unequal = (place for place, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
                return Difference(part, next(unequal, min(len(ours), len(theirs))), ours, theirs)
        return None

    def parity(self, rows: list[Row]) -> dict[str, Any]:
        """Rows are compared without the white space around their texts, which many chat templates take away."""
        found = {"template": self.name, "checked": len(rows), "at_the_ends": 0, "mismatch": None, "fixes": []}
        for row in rows:
            if wrong := self.difference(stripped(row), self.template):
                mismatch = {
                    "row": str(row.get("id", "")),
                    "part": wrong.part,
                    "position": wrong.position,
                    "template": around(self.tokenizer, wrong.trained, wrong.position),
                    "chat_template": around(self.plain, wrong.served, wrong.position),
                }
                return {**found, "mismatch": mismatch, "fixes": self.fixes(rows[0])}
        return {**found, "at_the_ends": sum(bool(self.difference(row, self.template)) for row in rows)}

    def fixes(self, row: Row) -> list[dict[str, Any]]:
        """Every template with which this row agrees; the present one, with another system prompt, first."""
        found = []
        for name in sorted(TEMPLATES, key=lambda name: (name != self.name, len(name), name)):
            template = TEMPLATES[name]
            template.enable_thinking = self.thinking
            own = template.default_system
            for system in dict.fromkeys((own, self.default_system())):
                template.default_system = system
                if not self.difference(stripped(row), template):
                    found.append({"template": name, "default_system": None if system == own else system})
                    break
            template.default_system = own
        return found

    def default_system(self) -> str:
        """The system prompt that the chat template puts in where there is none."""
        user, mark = {"role": "user", "content": "x"}, "\x01mark\x01"
        without = self.plain.apply_chat_template([user], tokenize=False)
        try:
            marked = self.plain.apply_chat_template([{"role": "system", "content": mark}, user], tokenize=False)
        except TemplateError:  # a chat template that takes no system prompt
            return ""
        before, _, after = marked.partition(mark)
        between = len(without) - len(after)
        return str(without[len(before) : between]) if without.startswith(before) and without.endswith(after) else ""

    def lengths(self, rows: list[Row], cutoff_len: int) -> dict[str, Any]:
        """Tokens of a row as LLaMA-Factory counts them against cutoff_len: prompt and the longer answer."""
        counts = []
        for row in rows:
            answers = [row[key] for key in ("chosen", "rejected", "output") if key in row]
            counts.append(max(sum(map(len, self.as_trained(row, answer, self.template))) for answer in answers))
        ordered = sorted(counts)
        return {
            "rows": len(counts),
            "longest": ordered[-1],
            "p99": ordered[int(0.99 * (len(ordered) - 1))],
            "cutoff_len": cutoff_len,
            "over": [place for place, count in enumerate(counts) if count > cutoff_len],
        }


def main() -> None:
    job = json.load(sys.stdin)
    settings, rows, lengths = job["settings"], job["rows"], None
    checker = Checker(settings)
    dataset = Path(settings["dataset_dir"]) / f"{settings['dataset']}.jsonl"
    if dataset.exists():
        rows = [json.loads(line) for line in dataset.read_text(encoding="utf-8").split("\n") if line]
        lengths = checker.lengths(rows, settings.get("cutoff_len", 2048)) if rows else None  # LLaMA-Factory's default
    found = checker.parity(rows[:: max(1, len(rows) // job["sample"])][: job["sample"]])
    print("LIDR " + json.dumps({**found, "lengths": lengths}))


if __name__ == "__main__":
    main()
