"""From prompts and a method to LLaMA-Factory's files."""

import gc
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from lidr_plugin import files
from lidr_plugin.completions.client import Client
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import resolved
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset import ownership
from lidr_plugin.dataset.counts import Counts
from lidr_plugin.dataset.llamafactory import card, merge_entry
from lidr_plugin.dataset.messages import write_messages
from lidr_plugin.dataset.parity import compared
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.dataset.rows import drop_json, row_json
from lidr_plugin.dataset.writer import DatasetWriter
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import Outcome, Row, Survey, SurveyingMethod
from lidr_plugin.run_directory import RunDirectory


class Built(NamedTuple):
    """What a run came to: where it lies, and the content of `report.json`."""

    run: RunDirectory
    report: dict[str, Any]


class Surveys(Protocol):
    """The surveys of a run's shards, of which one is made now."""

    def recall(self, survey: Survey) -> bool:
        """Gives the survey what it found before, if it did."""

    def note(self, survey: Survey) -> None:
        """Keeps what the survey found for the others."""

    def together(self, survey: Survey) -> None:
        """Gives the survey what the others found. Raises `RunError` where one of them has not yet."""


def build(
    ready: Prepared,
    store: Store,
    meter: Meter,
    watches: Sequence[Callable[[Outcome], None]] = (),
    *,
    surveys: Surveys | None = None,
) -> Counts:
    """Writes the dataset, its entry and card, and what became no row; what is in the store is not asked again.

    From the first file that it changes, the run has no `config.json` until `settle_configuration`.

    Args:
        watches: are told what each prompt came to, in order; what they raise ends the run before a file is in its place.
        surveys: those of all shards, where the rows are one's; None: the rows are the whole run's.

    Raises:
        RunError: the run failed; the same call goes on from there.
    """
    config, run_dir = ready.config, ready.run
    # Records make no cycles, and there are many of them: the collector's frequent passes are a tenth of the time.
    gc.set_threshold(100_000)
    counts, system = Counts([entry.name for entry in config.mix_in]), config.generation.system
    with (
        files.replacing(run_dir.rejected) as dropped,
        files.replacing(run_dir.dataset(config.alpaca_name)) as dataset,
        Display("rows", meter, len(ready.prompts), ready.requests_at_most() + ready.scores_at_most()) as display,
    ):
        writer = DatasetWriter(dataset, part=surveys is not None)

        def emit(outcome: Outcome) -> None:
            outcome = ready.marks.honour(outcome)
            for row in outcome.rows:
                writer.add(row_json(row, system))
            dropped.writelines(files.dump_line(drop_json(drop)) for drop in outcome.drops)
            counts.add(outcome)
            for watch in watches:
                watch(outcome)

        client = Client(store, compared(ready), meter)
        work = _run(ready, client, meter, emit, lambda: display.update(counts.prompts), surveys)
        counts.ranking.length_control = interrupts.run(work)
        ownership.note(run_dir, config.alpaca_name, writer.close())
        retire_configuration(run_dir, config)
    describe(run_dir, config, ready.method.rows, counts)
    return counts


def describe(run: RunDirectory, config: Config, rows: type[Row], counts: Counts) -> None:
    """Writes the dataset's entry and card, and its rows as conversations where they are asked for."""
    merge_entry(run.dataset_info, config.alpaca_name, rows, system=bool(config.generation.system))
    if config.dataset_format == "messages":
        write_messages(run, config)
    kept = {code: counts.pairs[code] for code in config.codes}
    files.write_text(run.data / "README.md", card(config, rows, kept))


def retire_configuration(run: RunDirectory, config: Config) -> None:
    """Puts a `config.json` of other settings aside: wherever there is one, what lies beside it was made with it."""
    if run.config.is_file() and run.config.read_bytes() != files.dump_json(resolved(config)):
        os.replace(run.config, run.config_before)


def settle_configuration(run: RunDirectory, config: Config) -> None:
    """Writes `config.json`, now that all that it made is in its place."""
    files.write_json(run.config, resolved(config))
    run.config_before.unlink(missing_ok=True)


async def _run(
    ready: Prepared,
    client: Client,
    meter: Meter,
    emit: Callable[[Outcome], None],
    show: Callable[[], None],
    surveys: Surveys | None,
) -> dict[str, float]:
    """Runs the method, after a survey if it needs one, and returns what that found."""
    method, found = ready.method, dict[str, float]()
    concurrency = sum(model.concurrency for model in ready.models.values())
    try:
        async with kept_up(show):
            if isinstance(method, SurveyingMethod) and (survey := method.survey()):
                if not (surveys and surveys.recall(survey)):
                    first = (survey.steps(prompt, ready.ask) for prompt in ready.prompts)
                    await run(first, client, survey.add, concurrency)
                    if surveys:
                        surveys.note(survey)
                if surveys:
                    surveys.together(survey)
                method, found = survey.method(), survey.found
            before = meter.reused, meter.scores.reused
            steps = (method.steps(prompt, ready.ask) for prompt in ready.prompts)
            await run(steps, client, emit, concurrency)
            if found:  # what the survey asked for was counted then
                meter.reused, meter.scores.reused = before
    finally:
        await client.close()
    return found
