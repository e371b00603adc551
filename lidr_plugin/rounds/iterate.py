"""Rounds of probe, build, train and evaluate, each stage a process of its own: the whole of `lidr iterate`, as one call."""

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import files
from lidr_plugin.config.file import changes, resolved
from lidr_plugin.config.mix_in import MixIn, beside
from lidr_plugin.config.rank import Rank
from lidr_plugin.config.schema import Config
from lidr_plugin.config.section import results_of
from lidr_plugin.dataset.prepare import prompts_of
from lidr_plugin.errors import InputError, Interrupted, RunError
from lidr_plugin.evaluation.results import read_results
from lidr_plugin.machine import interrupts
from lidr_plugin.machine.children import running, status_of
from lidr_plugin.machine.inputs import is_there, read_record
from lidr_plugin.pages import renew_page
from lidr_plugin.rounds.decisions import check_languages, check_model, refused, say_signal
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.identifier import name_and_version
from lidr_plugin.training.train import Say

STAGES = ("probe", "build", "train", "eval")
_COMMANDS = {"build": "build-pairs", "probe": "probe", "train": "train", "eval": "eval"}
_PATIENCE = 30.0
"""Seconds for a stage of a killed loop to end."""
_STAGE_PATIENCE = 60.0
"""Seconds for an interrupted stage to end: longer than what it starts itself is given, a server or a training."""


class Stage(NamedTuple):
    """One stage of one round: `lidr <command>` with this configuration."""

    round: int
    name: str
    config: Config

    @property
    def key(self) -> str:
        """Its name in `iterate.json`."""
        return f"{self.round}.{self.name}"


def iterate(config: Config, *, until: str, only: int | None, ray: str | None = None, say: Say) -> dict[str, Any]:
    """Runs what is not finished yet, and returns the state: by stage, what it was done with.

    Args:
        until: the last stage of every round: one of `STAGES`. Without `train` there is no next round.
        only: this round alone.
        ray: the address of a Ray cluster that builds; its workers have ended, and left their GPUs, before anything is trained.

    Raises:
        InputError: a stage that is finished was done with other settings; or nothing tells the rounds' prompts apart.
        RunError: a stage failed, or the gate stopped the loop.
    """
    top = RunDirectory.of(config.output_dir, config.store)
    _check_rounds(config)
    if until == "eval" and not _is_measured(config):
        say(
            "no gate: none of eval.prompts, eval.mgsm, eval.skills and eval.lm_eval says on what a round's model is compared with "
            "the one before"
        )
    if only and only > 1 and not is_there(before := top.round(only - 1).model):
        raise InputError(
            f"round {only} starts from {before}, which is not there", "leave --round out, or do the one before first"
        )
    _check_prompts(_stages(config, top, until=until, only=only), _read(top.iterate_json), say)
    with top.locked():
        state = _read(top.iterate_json)
        for stage in _stages(config, top, until=until, only=only):
            settings = _settings(stage)
            if stage.key in state:
                _compare(stage, state[stage.key], settings, top)
                say(f"round {stage.round}: {stage.name} was done before{_identifier_before(top, stage)}")
            else:
                say(f"round {stage.round}: {stage.name}")
                top.round(stage.round).wait_until_free(_PATIENCE)
                _run(top, stage, *(["--ray", ray] if ray and stage.name == "build" else []))
                if stage.name == "eval" and _unjudged(top, stage.round):
                    say(
                        f"round {stage.round}: the judge's max_cost was reached; with a higher one eval is taken up again"
                    )
                else:
                    state[stage.key] = settings
                    files.write_json(top.iterate_json, state)
                renew_page(top)
            if stage.name == "probe":
                say_signal(top, stage.round, say)
                check_languages(config, top, stage.round, say)
            if stage.name == "eval":
                check_model(top, stage.round)
    return state


def _read(path: Path) -> dict[str, Any]:
    """By stage, what it was done with; nothing before the first. Raises `InputError` where the file is damaged."""
    remedy = "put it back from a copy; without it every stage is begun again, and finds what it finished"
    return dict(read_record(dict[str, dict[str, Any]], path, remedy)) if is_there(path) else {}


def _check_rounds(config: Config) -> None:
    scorer = config.rank.scorer if config.family == "rank" and config.rank.by == "implicit" else None
    named = [("engine.model", config.engine.model), ("engine.weights", config.engine.weights)]
    for key, value in [*named, ("rank.scorer.weights", scorer and scorer.weights)]:
        if config.rounds > 1 and value is not None:
            raise InputError(
                f"{key}: {value}: rounds have a model each, and this names one for all",
                "leave it out: lidr starts vLLM on every round's model, or asks a server for it by its path",
            )
    if config.rounds > 1 and "{round}" not in config.prompts and config.max_prompts is None:
        raise InputError(
            "rounds: each round needs new prompts (paper, section 3)",
            "set max_prompts to the prompts of one round, or write {round} into the path of prompts",
        )
    for entry in config.mix_in:
        if config.rounds > 1 and "{round}" not in entry.prompts and config.max_prompts is None:
            raise InputError(
                f"mix_in: {entry.name}: each round needs new prompts, and nothing says how many it takes of these",
                "set max_prompts to the prompts of one round, or write {round} into their path",
            )


def _check_prompts(stages: Iterator[Stage], done: Mapping[str, Any], say: Callable[[str], None]) -> None:
    """Reads the prompts of every round that is not built yet: a later one without any is told before the first is paid for."""
    for stage in stages:
        if stage.name != "build" or stage.key in done:
            continue
        try:
            with prompts_of(stage.config) as prompts:
                found, wanted = prompts.own, stage.config.max_prompts
        except InputError as error:
            raise InputError(f"round {stage.round}: {error.message}", error.hint) from None
        if wanted and found < wanted:
            say(f"warning: round {stage.round} has {found:,} prompts, not the {wanted:,} of max_prompts")


def _stages(config: Config, top: RunDirectory, *, until: str, only: int | None) -> Iterator[Stage]:
    rounds = config.rounds if until != "build" else 1
    names = STAGES[: STAGES.index(until) + 1]
    for number in range(1, rounds + 1) if only is None else (only,):
        skip = config.skip_prompts + (number - 1) * (config.max_prompts or 0)
        changes = {
            "output_dir": str(top.round(number).path),
            "store": str(top.store),
            "model_name_or_path": _model(config, top, number - 1),
            "prompts": config.prompts.replace("{round}", str(number)),
            "skip_prompts": config.skip_prompts if "{round}" in config.prompts else skip,
            "rank": _ranked(config, top, number),
            "mix_in": [_mixed_in(config, entry, number) for entry in config.mix_in],
            "force_languages": [],  # has done its part once the languages of a build are known
        }
        for name in names:
            if name == "build":
                left_out = {code for code, _ in refused(config, top, number)}
                languages = [code for code in config.languages if code not in left_out]
                yield Stage(number, name, config.model_copy(update={**changes, "languages": languages}))
                continue
            if name == "eval":
                if not _is_measured(config):
                    continue
                # The round's model beside the one that it came from.
                models = {f"M{x}": _model(config, top, x) for x in (number - 1, number)}
                changes["eval"] = config.eval.model_copy(update={"models": models})
            yield Stage(number, name, config.model_copy(update=changes))


def _ranked(config: Config, top: RunDirectory, number: int) -> Rank:
    """How a round ranks: an implicit reward is that against the model which the round's own was trained from (ICR)."""
    rank = config.rank
    if number == 1 or rank.by != "implicit" or rank.scorer is None:
        return rank
    scorer = rank.scorer.model_copy(update={"model_name_or_path": _model(config, top, number - 2)})
    return rank.model_copy(update={"scorer": scorer})


def _mixed_in(config: Config, entry: MixIn, number: int) -> MixIn:
    """An entry as a round has it: with files of its own, or with the prompts after those of the rounds before."""
    prompts, before = entry.prompts.replace("{round}", str(number)), entry.skip_prompts
    if prompts == entry.prompts and config.max_prompts:
        before += (number - 1) * beside(entry, config.mix_in, config.max_prompts)
    return entry.model_copy(update={"prompts": prompts, "skip_prompts": before})


def _is_measured(config: Config) -> bool:
    """Whether a round's model is asked anything that the gate can compare."""
    return bool(config.eval.prompts or config.eval.mgsm or config.eval.skills or config.eval.lm_eval)


def _model(config: Config, top: RunDirectory, number: int) -> str:
    """The model that a round ended with; before the first, the base."""
    return str(top.round(number).model.absolute()) if number else config.model_name_or_path


def _settings(stage: Stage) -> dict[str, Any]:
    """The settings that a stage's result depends on, flat."""
    config = stage.config
    if stage.name == "train":
        return {"model_name_or_path": config.model_name_or_path, **results_of(config.train, "train.")}
    beside = ("train.", "rounds") if stage.name == "eval" else ("train.", "rounds", "eval.")
    found = {key: value for key, value in results_of(config).items() if not key.startswith(beside)}
    if stage.name == "probe":
        judge = config.eval.judge
        found |= results_of(judge, "judge.") if judge else {"judge": None}
    return found


def _identifier_before(top: RunDirectory, stage: Stage) -> str:
    """What identified the languages of a finished build, where it was not what does so now. It is told, and changes nothing."""
    path = top.round(stage.round).config
    if stage.name != "build" or not is_there(path):
        return ""
    remedy = "remove it; the next build writes it again"
    written = read_record(dict[str, Any], path, remedy)
    before, now = written.get("identifier", "lingua"), name_and_version()
    return "" if before == now else f" (languages identified by {before}, today by {now})"


def _compare(stage: Stage, before: Mapping[str, Any], now: Mapping[str, Any], top: RunDirectory) -> None:
    if changed := changes(before, now):
        where = f"round {stage.round}, whose {stage.name} is finished"
        hint = f"set them back, take another output_dir, or remove {top.round(stage.round).path} and its lines in "
        raise InputError.of(changed, where, f"{hint}{top.iterate_json}")


def _run(top: RunDirectory, stage: Stage, *options: str) -> None:
    """The stage as a child, which takes its memory with it when it ends; its configuration is handed over as one file."""
    file = top.round(stage.round).stage(stage.name)
    files.write_json(file, resolved(stage.config))
    code = "from lidr_cli.main import main; main()"
    command = [sys.executable, "-c", code, _COMMANDS[stage.name], str(file), *options]
    try:
        with running(command, patience=_STAGE_PATIENCE) as child:
            status = status_of(child)
    except KeyboardInterrupt:
        status = interrupts.STATUS
    if status == interrupts.STATUS:
        raise Interrupted("interrupted", "the same command goes on from the stage that was under way")
    if status:
        error = InputError if status == 2 else RunError
        raise error(f"round {stage.round}: {stage.name} ended with status {status}", "mended, the same command goes on")


def _unjudged(top: RunDirectory, number: int) -> bool:
    """Whether the cap on the judge's cost left pairs without a verdict."""
    found = read_results(top.round(number).eval_results).head_to_head
    return found is not None and not found.complete
