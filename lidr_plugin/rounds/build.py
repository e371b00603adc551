"""A whole build: rows, recipe, report and page; of a run, of one shard of it, or of all its shards put together."""

from collections.abc import Sequence

from lidr_plugin import files
from lidr_plugin.completions.engines.base import NamedEngine
from lidr_plugin.completions.progress import Meter
from lidr_plugin.config.methods import Stage
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset import merge as shards
from lidr_plugin.dataset.build import Built, build, settle_configuration
from lidr_plugin.dataset.counts import Counts, write_report
from lidr_plugin.dataset.dryrun import DryRun, estimated
from lidr_plugin.dataset.dryrun import dry_run as rehearse
from lidr_plugin.dataset.elsewhere import bring, brought, leave, store_of
from lidr_plugin.dataset.estimate import Estimate
from lidr_plugin.dataset.kto import write_kto
from lidr_plugin.dataset.ownership import check_own
from lidr_plugin.dataset.parquet import check_parquet, write_parquet
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.dataset.references import check_references
from lidr_plugin.dataset.shards import AGAIN, Shard, finished, opened_for, write_made
from lidr_plugin.dataset.surveys import ShardSurveys
from lidr_plugin.dataset.views import stage_on_disk
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benefit import Candidate
from lidr_plugin.evaluation.build_signal import CANDIDATES, BuildSignal, verdicts_of
from lidr_plugin.evaluation.places import PlaceWatch
from lidr_plugin.evaluation.results import plain
from lidr_plugin.machine.gpus import Gpu, gpus
from lidr_plugin.machine.inputs import adapter_of, read_record
from lidr_plugin.methods.base import Method, SurveyingMethod
from lidr_plugin.methods.filters import Filter
from lidr_plugin.pages import renew_page
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.recipe import recipe_for
from lidr_plugin.training.speed import speed_of


def build_pairs(
    config: Config,
    shard: str | None,
    *,
    method: Method | None = None,
    filters: Sequence[Filter] | None = None,
    engine: NamedEngine | None = None,
) -> Built:
    """See `lidr_plugin.build_pairs`. A shard that is finished does nothing."""
    top = RunDirectory.of(config.output_dir, None)
    with opened_for(config, shard, method=method, filters=filters, engine=engine) as (ready, made):
        run, config = ready.run, ready.config
        check_own(run, config.alpaca_name, config.dataset_name)
        if made:
            bring(config, run)
        if made and (before := finished(run, made)):
            leave(config, run)
            return before
        recipe_for(config, run, ready.stage)  # a recipe that cannot be made is told before anything is asked
        if made:
            _check_part(config, ready.method)
        check_references(ready)
        with run.at_work("every finished completion is kept; the same command goes on from there"):
            files.sweep(run.path)
            files.sweep(run.data)
            meter, signal = Meter(), BuildSignal(ready, made.total if made else None)
            watches = signal.watch, PlaceWatch(len(ready.prompts)).watch
            surveys = ShardSurveys(top, Shard.parse(shard), made) if shard and made else None
            with store_of(config, run, part=bool(made)) as store:
                counts = build(ready, store, meter, watches, surveys=surveys)
                candidates = signal.candidates(store)
            if not made:
                _write_views(run, config, counts)
            merged = shards.Merged(counts, meter, ready.method.reasons, ready.marks.honoured)
            built = _complete(run, config, ready.stage, merged, candidates)
            if made:
                files.write_json(run.candidates_json, adapter_of(CANDIDATES).dump_python(candidates, mode="json"))
                write_made(run, made)
                leave(config, run)
            return built


def merge(config: Config, *, parquet: bool, command: str) -> Built:
    """See `lidr_plugin.merge`."""
    if parquet:
        check_parquet()
    run = RunDirectory.of(config.output_dir, config.store)
    brought(config)
    found = shards.finished_shards(config, command)
    stage = stage_on_disk(config, found[0].run)
    check_own(run, config.alpaca_name, config.dataset_name)
    recipe_for(config, run, stage)
    with run.at_work("the shards are kept; the same command begins anew"):
        files.sweep(run.path)
        files.sweep(run.data)
        merged = shards.merge(config, run, found)
        _write_views(run, config, merged.counts)
        if parquet:
            write_parquet(run, config, sum(merged.counts.pairs.values()))
        candidates = [x for shard in found for x in read_record(CANDIDATES, shard.run.candidates_json, AGAIN)]
        return _complete(run, config, stage, merged, candidates)


def dry_run(config: Config, shard: str | None, *, method: Method | None = None) -> DryRun:
    """See `lidr_plugin.dry_run`."""
    with opened_for(config, shard, keep=False, method=method) as (ready, _):
        check_own(ready.run, ready.config.alpaca_name, ready.config.dataset_name)
        recipe_for(ready.config, ready.run, ready.stage)
        return rehearse(ready, speed_of(ready.config, gpus()))


def estimate_of(config: Config, cards: Sequence[Gpu]) -> Estimate:
    """What the build of a configuration takes with these GPUs.

    Raises:
        LidrError: its input is not whole yet.
    """
    with Prepared(config) as ready:
        return estimated(ready, speed_of(config, cards))


def _check_part(config: Config, method: Method) -> None:
    """Whether the shards of a method can be made.

    Raises:
        InputError: each must know what the others found, and their folders are not seen from everywhere.
    """
    if config.shards_dir and isinstance(method, SurveyingMethod) and method.survey():
        raise InputError(
            "rank.length_control: auto looks at all prompts before the first row, and with shards_dir a shard sees its own alone",
            "give the price of a character that another run found (`length_control` in its report.json), or put output_dir on a "
            "disk that all see, without shards_dir",
        )


def _write_views(run: RunDirectory, config: Config, counts: Counts) -> None:
    """Writes the dataset of single texts too, where that is trained on."""
    if config.train.llamafactory.get("stage") == "kto" and counts.pairs.total():
        write_kto(config, run)


def _complete(
    run: RunDirectory, config: Config, stage: Stage, made: shards.Merged, candidates: Sequence[Candidate]
) -> Built:
    """Writes what a run has beside its dataset."""
    rows = sum(made.counts.pairs.values())
    files.write_text(run.train_yaml, recipe_for(config, run, stage, rows=rows))
    also = {"verdicts": plain(verdicts_of(config, candidates)), "marks": dict(made.marks)}
    report = write_report(run, config, made.counts, made.meter, made.reasons, also)
    settle_configuration(run, config)
    renew_page(run)
    return Built(run, report)
