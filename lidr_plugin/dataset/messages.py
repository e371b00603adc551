"""The rows as lists of messages, the form of TRL, axolotl and LLaMA-Factory's v1: made from those in alpaca form."""

from typing import TypeAlias

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset import ownership
from lidr_plugin.dataset.llamafactory import read_info
from lidr_plugin.dataset.rows import RowJson
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.run_directory import RunDirectory

Turns: TypeAlias = list[dict[str, str]]
_ANSWERS = ("chosen", "rejected", "output")
_PROMPT = ("instruction", "input", "system")


def message_row(row: RowJson) -> dict[str, str | Turns]:
    """`chosen` and `rejected` of a pair, or `messages` of an SFT row, each a whole conversation; other columns as they are."""
    asked: Turns = [{"role": "system", "content": row["system"]}] if row.get("system") else []
    asked.append({"role": "user", "content": PromptText(row["instruction"], row["input"]).joined})
    made: dict[str, str | Turns] = {}
    for key, text in row.items():
        if key in _ANSWERS:
            name = "messages" if key == "output" else key
            made[name] = [*asked, {"role": "assistant", "content": text}]
        elif key not in _PROMPT:
            made[key] = text
    return made


def write_messages(run: RunDirectory, config: Config) -> None:
    """Writes the dataset beside that in alpaca form, which keeps the entry for LLaMA-Factory's loader: it reads no such pairs."""
    digest = ownership.Digest()
    with files.replacing(run.dataset(config.dataset_name)) as file:
        for row in rows_of(run, config.alpaca_name):
            file.write(digest.add(files.dump_line(message_row(row))))
        ownership.note(run, config.dataset_name, str(digest))
    info = read_info(run.dataset_info)
    if info.pop(config.dataset_name, None) is not None:
        files.write_json(run.dataset_info, info)
