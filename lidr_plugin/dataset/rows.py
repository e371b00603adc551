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
        **(
            _pair(row)
            if isinstance(row, Preference)
            else {"output": row.output.text, "output_source": row.output_source}
        ),
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
    return {"id": row.id, "language": row.language, "reason": str(drop.reason), **texts}


def row_of(row: RowJson) -> Row:
    """A written row as a record again; what only the filters look at is not in it."""
    if "output" in row:
        output = Text(row["output"])
        return Sft(row["id"], row["language"], _prompt(row), output, row["output_source"], output)
    chosen, sources = Text(row["chosen"]), (row["chosen_source"], row["rejected_source"])
    return Preference(row["id"], row["language"], _prompt(row), chosen, Text(row["rejected"]), *sources, chosen)


def drop_of(row: RowJson) -> Drop:
    """A line of `rejected.jsonl`, as far as it is counted."""
    chosen, sources = Text(row["chosen"]), (row["chosen_source"], row["rejected_source"])
    pair = Preference(row["id"], row["language"], PromptText(""), chosen, Text(row["rejected"]), *sources, chosen)
    return Drop(pair, row["reason"])


def _prompt(row: RowJson) -> PromptText:
    return PromptText(row["instruction"], row["input"])


def _pair(row: Preference) -> RowJson:
    return {
        "chosen": row.chosen.text,
        "rejected": row.rejected.text,
        "chosen_source": row.chosen_source,
        "rejected_source": row.rejected_source,
    }
