"""Shards: slices of a run's prompts, each built in a directory of its own, and what is made once for all of them."""

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import files
from lidr_plugin.config.file import changes
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import results_of
from lidr_plugin.dataset.build import Built
from lidr_plugin.dataset.marks import read_marks
from lidr_plugin.dataset.prepare import Prepared, prompts_of
from lidr_plugin.errors import InputError
from lidr_plugin.machine.inputs import is_there, read_record
from lidr_plugin.machine.sources import seen
from lidr_plugin.prompts.files import Extent, read_rows
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.prompts.sources import is_numbered, mixed, prompt_files
from lidr_plugin.run_directory import RunDirectory

AGAIN = "remove its shard.json and run its command again: what is in its store is not asked again"
_STAMP = "prompts.json"
"""What tells whether that which was made once for all shards was made of the prompt files as they are."""
_SHARD = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")


class Shard(NamedTuple):
    """A slice of a run's prompts: the `number`-th, from 0, of so many."""

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """The shard that `K/N` names.

        Raises:
            InputError: it names none.
        """
        found = _SHARD.fullmatch(text)
        shard = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not shard.number < shard.of:
            raise InputError(f"--shard {text}: no shard", "K/N with K from 0 to N-1: --shard 0/4 is the first of four")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def positions(self, prompts: int) -> range:
        """Those of its prompts among so many of the run."""
        return range(self.number * prompts // self.of, (self.number + 1) * prompts // self.of)

    def config(self, config: Config) -> Config:
        """The run's configuration for this shard, which has a store of its own."""
        run = RunDirectory.of(config.output_dir, None).shard(*self)
        return config.model_copy(update={"output_dir": str(run.path), "store": None})


@dataclass(frozen=True)
class Made:
    """What a finished shard was made of.

    Attributes:
        settings: those on which rows depend, by their keys.
        models: by role, the identity of who answered.
        prompts: tells their files' contents from others.
        marks: tells those of `lidr view` from others; empty where there are none.
        first: position of the shard's first prompt in the run.
        end: position after its last.
        total: prompts of the run.
    """

    settings: dict[str, Any]
    models: dict[str, str]
    prompts: str
    marks: str
    first: int
    end: int
    total: int

    def changed(self, now: "Made") -> list[str]:
        """What is not as it was, each as `key: was …, is …`."""
        others, others_now = self._beside(), now._beside()
        found = [
            f"{key}: was {x!r}, is {others_now.get(key)!r}" for key, x in others.items() if others_now.get(key) != x
        ]
        return changes(self.settings, now.settings) + found

    def _beside(self) -> dict[str, str]:
        """What beside the settings decides, by its name."""
        models = {f"model ({role})": identity for role, identity in self.models.items()}
        return {"the prompts' contents": self.prompts, "marks.jsonl": self.marks, **models}


def settings_of(config: Config) -> dict[str, Any]:
    """The settings on which the rows depend, by their keys."""
    beside = ("train.", "rounds", "eval.")
    return {key: value for key, value in results_of(config).items() if not key.startswith(beside)}


@contextmanager
def opened_for(
    config: Config, shard: str | None, *, keep: bool = True, **given: Any
) -> Iterator[tuple[Prepared, Made | None]]:
    """A run made ready or, where one is named, a shard of it with what it is about to be made of.

    Args:
        keep: whether what is made once for all shards may be written.
        given: what `Prepared` takes in place of the configuration's own.
    """
    if shard is None:
        with Prepared(config, **given) as ready:
            yield ready, None
        return
    part, top = Shard.parse(shard), RunDirectory.of(config.output_dir, None).shards if keep else None
    totals: list[int] = []

    def prompts() -> PromptSet:
        found = _prompts_of(config, part, top)
        totals.append(found.total)
        return found.prompts

    # Of shards that begin at once the first joins the prompts and reads the weights, whose fingerprint the others then know.
    with _alone(top) if top else nullcontext():
        prepared = Prepared(part.config(config), prompts=prompts, **given)
        prepared.marks = read_marks(RunDirectory.of(config.output_dir, None).marks)  # people look at the whole
    with prepared as ready:
        yield ready, _made_of(ready, totals[0])


def finished(run: RunDirectory, made: Made) -> Built | None:
    """What a shard came to that was finished before.

    Raises:
        InputError: it was made of something else.
    """
    before = read_made(run)
    if before is None:
        return None
    if changed := before.changed(made):
        hint = (
            f"set them back, or take another output_dir; or remove {run.shard_json}: the shard is then made with these"
        )
        raise InputError.of(changed, f"{run.path}, which is finished", hint)
    return Built(run, read_record(dict[str, Any], run.report_json, AGAIN))


def _made_of(ready: Prepared, total: int) -> Made:
    """What a shard is about to be made of."""
    models = {role: model.identity for role, model in ready.roles.items()}
    positions = ready.prompts.positions
    digests = ready.prompts.digest, ready.marks.digest
    return Made(settings_of(ready.config), models, *digests, positions.start, positions.stop, total)


def read_made(run: RunDirectory) -> Made | None:
    """What a shard was made of; None if it is not finished."""
    remedy = "remove it: the shard's command then builds from its store"
    return read_record(Made, run.shard_json, remedy) if is_there(run.shard_json) else None


def write_made(run: RunDirectory, made: Made) -> None:
    """Notes that a shard is finished."""
    files.write_json(run.shard_json, asdict(made))


class ShardPrompts(NamedTuple):
    """A shard's prompts, and how many the run has."""

    prompts: PromptSet
    total: int


def _prompts_of(config: Config, shard: Shard, top: Path | None) -> ShardPrompts:
    """A shard's prompts, at their positions in the run; the caller closes them.

    The files of a run are joined once, in `prompts.sqlite`, from which each shard reads its slice; where each shard has files
    of its own (`{shard}`), only the prompts of the dominant language are counted once.

    Args:
        top: where what is made once is kept, and who calls is alone; None: nowhere.

    Raises:
        InputError: something is wrong with the files, or there are fewer prompts than shards.
    """
    if is_numbered(config):
        return _own_files(config, shard, _counted(config, top) if top else _counts(config))
    prompts = _joined(config, top) if top else prompts_of(config)
    total = len(prompts)
    if total < shard.of:
        prompts.close()
        raise InputError(f"--shard {shard}: the run has {total:,} prompts", f"make {total:,} shards at most")
    prompts.only(shard.positions(total))
    return ShardPrompts(prompts, total)


def _joined(config: Config, top: Path) -> PromptSet:
    index, stamp = top / "prompts.sqlite", _stamp(config)
    if _read(top / _STAMP) != stamp:
        for path in (top / _STAMP, index):
            path.unlink(missing_ok=True)
    files.sweep(top)
    prompts = prompts_of(config, index)
    files.write_json(top / _STAMP, stamp)
    return prompts


def _own_files(config: Config, shard: Shard, counts: Sequence[int]) -> ShardPrompts:
    if config.mix_in:
        what = (
            f"mix_in: with files for each shard (prompts: {config.prompts}) nothing says which shard has these prompts"
        )
        raise InputError(what, "put the run's prompts into one file for each language, without {shard}")
    if len(counts) != shard.of:
        what = f"--shard {shard}: prompts: {config.prompts} has files for {len(counts)} shards"
        raise InputError(what, f"--shard {shard.number}/{len(counts)}")
    extent = Extent(config.skip_prompts, config.max_prompts, sum(counts[: shard.number]))
    by_row = config.join_on == "row"
    prompts = PromptSet(prompt_files(config, shard.number), config.columns, by_row=by_row, extent=extent)
    total = max(0, sum(counts) - config.skip_prompts)
    return ShardPrompts(prompts, min(total, config.max_prompts or total))


def _counted(config: Config, top: Path) -> list[int]:
    stamp, known = _stamp(config), _read(top / _STAMP)
    counts: list[int] = known.pop("counts", [])
    if known != stamp:
        counts = _counts(config)
        files.write_json(top / _STAMP, {**stamp, "counts": counts})
    return counts


def _counts(config: Config) -> list[int]:
    """Prompts in each file of the dominant language."""
    by_row = config.join_on == "row"
    paths = prompt_files(config)[config.dominant_language]
    return [sum(1 for _ in read_rows(path, config.columns, need_id=not by_row)) for path in paths]


def _stamp(config: Config) -> dict[str, Any]:
    """What tells the prompt files and how they are read from others, without reading them."""
    keys = ("columns", "join_on", "max_prompts", "skip_prompts", "mix_in")
    found = {code: list(map(seen, paths)) for code, paths in prompt_files(config).items()}
    for part in mixed(config):
        found |= {f"{part.name} {code}": list(map(seen, paths)) for code, paths in part.files.items()}
    return {"files": found, "settings": config.model_dump(mode="json", include=set(keys))}


def _read(path: Path) -> dict[str, Any]:
    remedy = "remove it: it is made anew"
    return read_record(dict[str, Any], path, remedy) if is_there(path) else {}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds a folder, which is made if absent, and waits for whoever holds it; where the block fails nothing is left of it."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as handle:
        with suppress(OSError):  # a file system without locks: then several may do the same work
            fcntl.flock(handle, fcntl.LOCK_EX)
        folder.mkdir(parents=True, exist_ok=True)  # whoever held it may have failed
        try:
            yield
        except BaseException:
            if made:
                for name in (".lock", _STAMP, "prompts.sqlite"):
                    (folder / name).unlink(missing_ok=True)
            with suppress(OSError):
                for path in made:
                    path.rmdir()
            raise
