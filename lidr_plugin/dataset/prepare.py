"""A run, made ready: what is checked of it before anything is asked or written. Build, dry run, probe and doctor begin here."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import NamedEngine, scores_of
from lidr_plugin.completions.models import policy_of, translator_of
from lidr_plugin.completions.store_errors import check_place
from lidr_plugin.config.methods import Stage
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.llamafactory import read_info
from lidr_plugin.dataset.marks import read_marks
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.methods import method_of
from lidr_plugin.methods.base import POLICY, TRANSLATOR, Ask, Method, Preference, ScoringMethod
from lidr_plugin.methods.filters import Filter, filters_of
from lidr_plugin.prompts.files import Extent
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.prompts.sources import mixed, prompt_files
from lidr_plugin.run_directory import RunDirectory

_BYTES_A_COMPLETION = 600
"""In the store and the dataset together, for a short answer: a run without room for that much is not begun."""
_SPARE = 16 << 20
"""Bytes for everything else that a run writes."""


_GIVING = {
    "logprob": "those of the backends vllm and transformers do",
    "reward": "a classifier in the backends vllm or transformers does, or a vLLM server with --runner pooling at its base_url",
    "embed": "an encoder in any backend does: the server at a base_url needs /v1/embeddings",
    "layer": "that of the backend transformers does",
}
"""Who gives which score."""


class Prepared:
    """A run, checked as far as it can be without asking anything: prompts first, then models, languages, disk.

    Use it as a context manager: the prompts lie in a temporary file.

    Args:
        method: in place of the one that the configuration names.
        filters: in place of those of the configuration.
        engine: who answers in place of the configuration's engine, as the policy.
        prompts: opens others than those of the configuration.

    Raises:
        InputError: whatever is wrong, before anything is written.
        RunError: there is no room on the disk.
    """

    def __init__(
        self,
        config: Config,
        *,
        method: Method | None = None,
        filters: Sequence[Filter] | None = None,
        engine: NamedEngine | None = None,
        prompts: Callable[[], PromptSet] | None = None,
    ) -> None:
        self.config = config
        self.run = RunDirectory.of(config.output_dir, config.store)
        read_info(self.run.dataset_info)
        self.marks = read_marks(self.run.marks)
        check_output(self.run)
        check_place(self.run.store)
        self.prompts = prompts() if prompts else prompts_of(config)
        try:
            self.roles = roles_of(config, method, engine)
            self.method = method or method_of(config, filters_of(config) if filters is None else filters, self.roles)
            self.roles = {**self.roles, **self.method.roles}
            self._check_scores()
            self.ask = Ask.of(self.roles)
            if problems := self.method.problems(self.prompts):
                raise InputError.of(problems, "the prompts")
            self._check_disk()
        except BaseException:
            self.prompts.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.prompts.close()

    @property
    def stage(self) -> Stage:
        """LLaMA-Factory's stage for the method's rows."""
        return "dpo" if self.method.rows is Preference else "sft"

    @property
    def models(self) -> dict[str, Model]:
        """Who answers, by the identity of the weights."""
        return {model.identity: model for model in self.roles.values()}

    def requests_at_most(self) -> int:
        """Requests if nothing were dropped or stored, second tries aside."""
        return self.method.requests_at_most(len(self.prompts))

    def scores_at_most(self) -> int:
        """Scores that the method asks for beside, counted likewise."""
        return self.method.scores_at_most(len(self.prompts)) if isinstance(self.method, ScoringMethod) else 0

    def _check_scores(self) -> None:
        if isinstance(self.method, ScoringMethod):
            problems = [
                f"{role}: its engine gives no {need} scores; {_GIVING[need]}"
                for role, needs in self.method.scores.items()
                for need in sorted(needs - scores_of(self.roles[role].engine))
            ]
            if problems:
                raise InputError.of(problems, "the scores")

    def _check_disk(self) -> None:
        # Beyond ten million requests nobody's disk is sized by this guess.
        needed = min(self.requests_at_most(), 10_000_000) * _BYTES_A_COMPLETION + _SPARE
        free = self.run.free_bytes()
        if free < needed:
            raise RunError(
                f"output_dir: {self.run.path}: {free >> 20} MB free, and this run needs about {needed >> 20} MB",
                "free some space, or take another disk: the same command with output_dir=/another/disk/run",
            )


def check_output(run: RunDirectory) -> None:
    """Raises `InputError` where no directory can be."""
    place = run.nearest()
    if not os.path.isdir(place):
        raise InputError(f"output_dir: {run.path}: {place} is a file", "set another output_dir")


def prompts_of(config: Config, index: Path | None = None) -> PromptSet:
    """The prompts of a run, joined and checked; the caller closes them.

    Args:
        index: where they are kept, joined, for other processes.

    Raises:
        InputError: a file is not there, or something is wrong in it.
    """
    return PromptSet(
        prompt_files(config),
        config.columns,
        by_row=config.join_on == "row",
        extent=Extent(config.skip_prompts, config.max_prompts),
        mixed=mixed(config),
        index=index,
    )


def roles_of(config: Config, method: Method | None, engine: NamedEngine | None) -> Mapping[str, Model]:
    """Who is asked, by role: those that a method brings, and the configuration's policy and translator for the others."""
    own = dict(method.roles) if method else {}
    if engine is not None:
        limits = config.engine
        own[POLICY] = Model(engine, limits.concurrency, limits.max_failures, engine.identity)
    policy = own.get(POLICY) or policy_of(config)
    translator = own.get(TRANSLATOR) or translator_of(config, policy)
    return {POLICY: policy, TRANSLATOR: translator, **own}
