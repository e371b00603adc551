"""Prompt files that the model writes itself: the whole of `lidr make-prompts`."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lidr_plugin import __version__, files
from lidr_plugin.completions.client import Client
from lidr_plugin.completions.engines.base import NamedEngine
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.runner import run as conduct
from lidr_plugin.completions.steps import Steps
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_errors import check_place
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.dryrun import DryRun, problem_of, stored_in
from lidr_plugin.dataset.ownership import Digest, check_outside, note_outside
from lidr_plugin.dataset.prepare import check_output, roles_of
from lidr_plugin.dataset.rows import drop_json
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine import interrupts
from lidr_plugin.machine.sources import is_address
from lidr_plugin.methods.base import POLICY, TRANSLATOR, Ask, Drop, Sft, Text
from lidr_plugin.methods.filters import filters_of
from lidr_plugin.methods.prompt_making import ALIKE, REASONS, Carried, Made, PromptMaker
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.prompts.seeds import seeds_of
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.alike import Alike

T = TypeVar("T")


class MadePrompts(NamedTuple):
    """What was made: by language its file, what was dropped, and the content of `make_prompts.json`."""

    files: dict[str, Path]
    rejected: Path
    report: dict[str, Any]


class _Making:
    """One call's parts, checked as far as they can be without asking anything."""

    def __init__(self, config: Config, engine: NamedEngine | None) -> None:
        self.config = config
        self.run = RunDirectory.of(config.output_dir, config.store)
        check_output(self.run)
        check_place(self.run.store)
        self.files = _files_of(config)
        self._seeds = seeds_of(config)
        remedy = "move it away, or name others in prompts: what lidr did not write or what you edited is not replaced"
        check_outside(self.run, self.files.values(), remedy)
        self._roles = roles_of(config, None, engine)
        self.models = {model.identity: model for model in self._roles.values()}
        self.ask = Ask.of(self._roles)
        self.maker = PromptMaker.of(config, self._seeds, filters_of(config))
        self.meter = Meter()
        self._dropped: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @property
    def count(self) -> int:
        """Prompts that are asked for."""
        return self.config.make_prompts.count

    def made(self, store: Store) -> dict[str, Any]:
        """Asks for everything and writes the files; what they came to."""
        paths = [self.run.path / name for name in ("make_prompts.rejected.jsonl", "make_prompts.json")]
        with files.replacing(paths[0]) as dropped:
            drop = partial(self._drop, dropped.write)
            whole = interrupts.run(self._asked(store, drop))
        report = {
            "lidr": __version__,
            "asked": self.count,
            "prompts": len(whole),
            "rejected": {reason: dict(counts) for reason, counts in self._dropped.items()},
            "reasons": {reason: REASONS.get(reason, reason) for reason in self._dropped},
            "models": {role: self.ask.identities[role] for role in (POLICY, TRANSLATOR)},
            "completions": {name: getattr(self.meter, name) for name in ("generated", "reused", "failed")},
            "files": {code: str(path) for code, path in self.files.items()},
            "settings": self.config.make_prompts.model_dump(mode="json"),
        }
        files.write_json(paths[1], report)
        if not whole:
            raise RunError("no prompt was kept", f"{paths[0]} has every answer with its reason")
        self._write(whole)
        return report

    async def _asked(self, store: Store, drop: Callable[[Drop], None]) -> list[Carried]:
        """The prompts, then their translations, by engines that are opened once."""
        client = Client(store, self.models, self.meter)
        try:
            return await self._carried(client, await self._first(client, drop), drop)
        finally:
            await client.close()

    async def _first(self, client: Client, drop: Callable[[Drop], None]) -> list[Made]:
        """The prompts in the dominant language, none of them like an earlier one."""
        alike, kept = Alike(self.config.make_prompts.similarity), list[Made]()
        if self.maker.kind == "prompts":
            for seed in self._seeds:
                alike.earlier(seed)

        def take(found: Made | Drop) -> None:
            if isinstance(found, Drop):
                drop(found)
            elif alike.earlier(found.text) is not None:
                text = Text(found.text)
                row = Sft(_id(found), self.maker.dominant, PromptText(""), text, self.maker.origin, text)
                drop(Drop(row, ALIKE))
            else:
                kept.append(found)

        steps = (self.maker.make(number, self.ask) for number in range(self.count))
        await self._conduct(client, steps, take, "prompts", self.count, 1)
        return kept

    async def _carried(self, client: Client, kept: list[Made], drop: Callable[[Drop], None]) -> list[Carried]:
        """The prompts that are in all languages."""
        whole: list[Carried] = []

        def take(found: Carried) -> None:
            if found.drop:
                drop(found.drop)
            else:
                whole.append(found)

        steps = (self.maker.carry(made, _id(made), self.ask) for made in kept)
        await self._conduct(client, steps, take, "translations", len(kept), len(self.config.languages))
        return whole

    def _write(self, prompts: list[Carried]) -> None:
        for code, path in self.files.items():
            digest = Digest()
            with files.replacing(path) as file:
                for made, texts, _ in prompts:
                    file.write(digest.add(files.dump_line(self._row(made, code, texts[code]))))
                note_outside(self.run, path, str(digest))

    def _row(self, made: Made, code: str, text: str) -> dict[str, Any]:
        """A prompt with where it comes from."""
        columns, own = self.config.columns, code == self.maker.dominant
        return {
            columns.id: _id(made),
            columns.instruction: text,
            "source": self.maker.origin if own else f"translation:{self.maker.dominant}->{code}",
            "made_from": list(made.seeds),
            "model": self.ask.identities[POLICY if own else TRANSLATOR],
        }

    def _drop(self, write: Callable[[bytes], int], drop: Drop) -> None:
        self._dropped[str(drop.reason)][drop.row.language] += 1
        write(files.dump_line(drop_json(drop)))

    async def _conduct(
        self, client: Client, steps: Iterator[Steps[T]], take: Callable[[T], None], what: str, count: int, each: int
    ) -> None:
        done = 0

        def emit(found: T) -> None:
            nonlocal done
            done += 1
            take(found)

        concurrency = sum(model.concurrency for model in self.models.values())
        with Display(what, self.meter, max(count, 1), count * each) as display:
            async with kept_up(lambda: display.update(done)):
                await conduct(steps, client, emit, concurrency)


def make_prompts(config: Config, *, engine: NamedEngine | None = None) -> MadePrompts:
    """Has the model write the prompt files that a configuration names, as its section `make_prompts` says.

    Args:
        engine: who answers in place of the configuration's engine.

    Raises:
        InputError: something is wrong with the input, or a prompt file is there that lidr did not write; nothing was written.
        RunError: the run failed, or no prompt was kept; what was answered is kept.
    """
    making = _Making(config, engine)
    with (
        making.run.at_work("every answer is kept; the same command goes on from there"),
        Store(making.run.store) as store,
    ):
        files.sweep(making.run.path)
        report = making.made(store)
    return MadePrompts(making.files, making.run.path / "make_prompts.rejected.jsonl", report)


def dry_run(config: Config) -> DryRun:
    """What `make_prompts` would send; asks nothing and writes nothing."""
    making = _Making(config, None)
    first = making.maker.request(0, making.maker.seeds_for(0), making.ask)
    translations = [
        making.maker.translator.request("(a prompt)", code, 0, making.ask, f"prompt 1 [{code}]")
        for code in config.languages[:1]
    ]
    return DryRun(
        run=making.run,
        prompts=making.count,
        requests=making.count * (1 + len(config.languages)),
        scores=0,
        stored=stored_in(making.run),
        examples=[first, *translations],
        server_problem=problem_of(making.models),
    )


def _files_of(config: Config) -> dict[str, Path]:
    """By language, the prompt file that is written."""
    path = config.prompts
    if is_address(path) or not path.endswith(".jsonl") or any(mark in path for mark in ("*", "{shard", "{round}")):
        raise InputError(
            f"prompts: {path}: prompts are made into one file for each language",
            "set prompts to a path such as prompts/{language}.jsonl",
        )
    return {code: config.prompt_path(code) for code in config.codes}


def _id(made: Made) -> str:
    """Tells a prompt from all others, of other calls too."""
    return f"made-{hashlib.sha256(made.text.encode(errors='surrogatepass')).hexdigest()[:12]}"
