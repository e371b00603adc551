"""The dataset of single texts that LLaMA-Factory's stage `kto` reads, made of pairs."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import merge_tagged
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import RunError
from lidr_plugin.run_directory import RunDirectory


class _Place(NamedTuple):
    """A text of a pair, by where its row begins in the file."""

    id: str
    offset: int
    side: str


def kto_name(name: str) -> str:
    """What the view of a dataset is called."""
    return f"{name}_kto"


def write_kto(config: Config, run: RunDirectory) -> str:
    """Writes the texts of the pairs one by one, each with `kto_tag`, and the entry of that dataset; returns its name.

    LLaMA-Factory takes the text of the row before as an answer that does not belong to the prompt, so no two neighbours have
    one prompt; nor have the first and the last of the thousand rows that it reads at once. It takes an empty text for a
    rejected one, so a pair with one is left out.

    Raises:
        RunError: most of the texts have one prompt, so that they cannot be apart.
        InputError: a line is no pair.
    """
    source, name = run.dataset(config.alpaca_name), kto_name(config.alpaca_name)
    order = apart(list(_places(run, config.alpaca_name)))
    if order is None:
        raise RunError(
            f"{source}: more than half of the texts have one prompt, and KTO compares each with the one before, which must have "
            "another",
            "build from more prompts, or train on the pairs: leave train.stage out",
        )
    with source.open("rb") as pairs, files.replacing(run.dataset(name)) as file:
        for place in order:
            pairs.seek(place.offset)
            file.write(files.dump_line(_single(orjson.loads(pairs.readline()), place.side)))
    merge_tagged(run.dataset_info, name, system=bool(config.generation.system))
    return name


def apart(places: Sequence[_Place]) -> list[_Place] | None:
    """The texts in an order without neighbours of one prompt; None: there is none.

    The prompts with the most texts first, they take every second place and then those between. Two places of different parity hold
    texts that are half of all apart, so the ends of any even stretch that begins at an even place are of two prompts as well.
    """
    groups: defaultdict[str, list[_Place]] = defaultdict(list)
    for place in places:
        groups[place.id].append(place)
    if any(len(group) > len(places) // 2 for group in groups.values()):
        return None
    dealt = [place for group in sorted(groups.values(), key=len, reverse=True) for place in group]
    ordered = [*dealt]
    seats = [*range(0, len(dealt), 2), *range(1, len(dealt), 2)]
    for seat, place in zip(seats, dealt, strict=True):
        ordered[seat] = place
    return ordered


def _places(run: RunDirectory, name: str) -> Iterator[_Place]:
    """Both texts of every pair, the chosen ones first."""
    for side in ("chosen", "rejected"):
        offset = 0
        with run.dataset(name).open("rb") as lines:
            for row, line in zip(rows_of(run, name), lines, strict=True):
                if row.get("chosen", "").strip() and row.get("rejected", "").strip():
                    yield _Place(row.get("id", row["instruction"]), offset, side)
                offset += len(line)


def _single(row: dict[str, str], side: str) -> dict[str, str | bool]:
    kept: dict[str, str | bool] = {
        key: row[key] for key in ("id", "language", "instruction", "input", "system") if key in row
    }
    return {**kept, "output": row[side], "kto_tag": side == "chosen"}
