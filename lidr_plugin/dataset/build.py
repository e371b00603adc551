"""From a configuration to a dataset: the whole of `lidr build-pairs`, as one call."""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lidr_plugin import files
from lidr_plugin.completions.client import Client, Model
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import resolved
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.counts import Counts
from lidr_plugin.dataset.llamafactory import card, merge_entry, pair_json, rejection_json
from lidr_plugin.dataset.prepare import Preflight, recipe_for
from lidr_plugin.dataset.views import trained_on
from lidr_plugin.methods.base import Outcome
from lidr_plugin.pages.report import write_report
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.recipe import render


@dataclass(frozen=True, slots=True)
class Built:
    """What a run came to."""

    run: RunDirectory
    report: dict[str, Any]


def build_pairs(config: Config) -> Built:
    """Runs the configuration to its dataset and report; what is in the store already is not asked again.

    Raises:
        InputError: something is wrong with the input; nothing was written.
        RunError: the run failed; the same call goes on from there.
    """
    with Preflight(config) as ready:
        lanes = ready.lanes()
        with ready.run.at_work("every finished completion is kept; the same command goes on from there"):
            files.sweep(ready.run.path)
            files.sweep(ready.run.data)
            with Store(ready.run.store) as store:
                return _build(ready, store, lanes)


def _build(ready: Preflight, store: Store, lanes: dict[str, Model]) -> Built:
    config, run_dir = ready.config, ready.run
    # Records make no cycles, and there are many of them: the collector's frequent passes are a tenth of the time.
    gc.set_threshold(100_000)
    meter, tally = Meter(), Counts()
    files.write_json(run_dir.config, resolved(config))
    with (
        files.replacing(run_dir.rejected) as rejected,
        files.replacing(run_dir.dataset(config.dataset_name)) as pairs,
        Display("pairs", meter, len(ready.prompts), ready.requests_at_most()) as display,
    ):

        def emit(settled: Outcome) -> None:
            pairs.writelines(files.dump_line(pair_json(pair, ready.method.system)) for pair in settled.pairs)
            rejected.writelines(files.dump_line(rejection_json(item)) for item in settled.rejections)
            tally.add(settled)

        asyncio.run(_run(ready, Client(store, lanes, meter), emit, lambda: display.update(tally.prompts)))
    merge_entry(run_dir.dataset_info, config.dataset_name, system=bool(ready.method.system))
    settings, launch = recipe_for(config, run_dir, trained_on(config, run_dir))
    text = render(settings, config, launch, pairs=sum(tally.pairs.values()), path=run_dir.train_yaml)
    files.write_text(run_dir.train_yaml, text)
    codes = [config.dominant_language, *config.languages]
    by_language = {code: tally.pairs[code] for code in codes}
    text = card(
        name=config.dataset_name,
        model=config.model_name_or_path,
        dominant=config.dominant_language,
        pairs=by_language,
        system=bool(ready.method.system),
    )
    files.write_text(run_dir.data / "README.md", text)
    return Built(run_dir, write_report(run_dir, config, tally, meter))


async def _run(ready: Preflight, generator: Client, emit: Callable[[Outcome], None], show: Callable[[], None]) -> None:
    try:
        async with kept_up(show):
            await run(ready.works(), generator, emit, ready.config.engine.concurrency)
    finally:
        await generator.close()
