"""Rows as JSON objects (contract, section 4); every value is text, as LLaMA-Factory's loader needs it."""

from typing import TypeAlias

from lidr_plugin.methods.base import Drop, Preference, Row, Sft, Text
from lidr_plugin.prompts.prompt import PromptText

RowJson: TypeAlias = dict[str, str]


def row_json(row: Row, system: str | None) -> RowJson:
    """A row of the dataset: `chosen` and `rejected` of a pair, `output` of an SFT row."""
    made = {
        "id": row.id,
        "language": row.language,
        "instruction": row.prompt.instruction,
        "input": row.prompt.input,
        **(_pair(row) if isinstance(row, Preference) else _sft(row)),
    }
    return {**made, "system": system} if system else made


def drop_json(drop: Drop) -> RowJson:
    """A dropped candidate as a row of `rejected.jsonl`; a text that was never written, or does not belong to it, is empty."""
    row = drop.row
    texts = (
        _pair(row)
        if isinstance(row, Preference)
        else {"chosen": row.output.text, "rejected": "", "chosen_source": row.output_source, "rejected_source": ""}
    )
    told = {"id": row.id, "language": row.language, "reason": str(drop.reason), **texts}
    return {**told, "task": row.task} if isinstance(row, Sft) and row.task else told


def _sft(row: Sft) -> RowJson:
    made = {"output": row.output.text, "output_source": row.output_source}
    return {**made, "task": row.task} if row.task else made


def row_of(row: RowJson) -> Row:
    """A written row as a record again; what only the filters look at is not in it."""
    prompt = PromptText(row["instruction"], row["input"])
    if "output" in row:
        output = Text(row["output"])
        made = Sft(row["id"], row["language"], prompt, output, row["output_source"], output)
        return made._replace(task=row["task"]) if "task" in row else made
    pair = _pair_of(row, prompt)
    if "ranker" not in row:
        return pair
    chosen, rejected = (float(row[name]) if name in row else None for name in ("chosen_score", "rejected_score"))
    weight = float(row["weight"])
    return pair._replace(chosen_score=chosen, rejected_score=rejected, weight=weight, ranker=row["ranker"])


def _pair_of(row: RowJson, prompt: PromptText) -> Preference:
    chosen, sources = Text(row["chosen"]), (row["chosen_source"], row["rejected_source"])
    return Preference(row["id"], row["language"], prompt, chosen, Text(row["rejected"]), *sources, chosen)


def _pair(row: Preference) -> RowJson:
    return {
        "chosen": row.chosen.text,
        "rejected": row.rejected.text,
        "chosen_source": row.chosen_source,
        "rejected_source": row.rejected_source,
        **(_scores(row) if row.ranker else {}),
    }


def _scores(row: Preference) -> RowJson:
    """What a ranker says, and only where one does."""
    told = {"chosen_score": row.chosen_score, "rejected_score": row.rejected_score, "weight": row.weight}
    return {**{name: _number(value) for name, value in told.items() if value is not None}, "ranker": row.ranker}


def _number(value: float) -> str:
    """With up to four decimals, which is as exactly as scores are compared."""
    # Adding zero makes -0.0 a zero.
    return f"{round(value, 4) + 0.0:.4f}".rstrip("0").rstrip(".")
