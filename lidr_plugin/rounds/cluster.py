"""`lidr build-pairs --ray`: the shards of a run on the workers of a Ray cluster, and then their merge.

Ray places workers and notices those that die; what a shard has finished is in its store. Nothing else imports this file.
"""

import itertools
import os
import signal
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.engines.held import Held
from lidr_plugin.completions.models import policy_of
from lidr_plugin.completions.progress import ShardsDisplay
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.build import Built
from lidr_plugin.dataset.elsewhere import brought
from lidr_plugin.dataset.merge import check_made, numbers_of_shards
from lidr_plugin.dataset.shards import Shard, opened_for, read_made
from lidr_plugin.dataset.surveys import Waiting
from lidr_plugin.errors import EngineError, InputError, LidrError, RunError
from lidr_plugin.prompts.sources import is_numbered, prompt_files
from lidr_plugin.rounds.build import build_pairs, merge
from lidr_plugin.rounds.crew import KEPT, Crew, Failure, Progress
from lidr_plugin.rounds.scale import shards_for
from lidr_plugin.run_directory import RunDirectory

_LOOK_EVERY = 0.5
"""Seconds."""
_OBJECTS = 100 << 20
"""Bytes of Ray's object store on this machine alone: what workers are told and tell fits into a page."""
_CONNECTING = (
    "ray start --head makes a cluster; ray status shows it\n"
    "where it wants a token, as that of Ray 2.60 does: RAY_AUTH_MODE=token, with the head's ~/.ray/auth_token on every node"
)
_END_SECONDS = 30.0
"""What a worker's server may take to end."""


class Worker:
    """In a process of its own somewhere: builds one shard after the other with an engine that stays open."""

    def __init__(self, config: Config, identity: str, name: str, folder: str) -> None:
        self._config, self._identity, self._name, self._folder = config, identity, name, folder
        self._engine: Held | None = None

    def build(self, shard: Shard) -> Failure | None:
        """Builds a shard; what is in its store is not asked again."""
        try:
            os.makedirs(self._folder, exist_ok=True)
            os.chdir(self._folder)  # relative paths are the driver's
            self._engine = self._engine or self._opened()
            build_pairs(self._config, str(shard), engine=self._engine)
        except Waiting as error:
            return Failure(error.message, error.hint, final=False, status=error.exit_status, waits=True)
        except LidrError as error:
            # An engine that has never answered is set up wrongly; one that has may have met with an accident.
            unfit = isinstance(error, EngineError) and not self.progress().answers
            final = unfit or isinstance(error, InputError)
            return Failure(f"shard {shard}: {error.message}", error.hint, final, error.exit_status)
        except OSError as error:
            said = RunError.of(error, self._folder, KEPT)
            return Failure(f"shard {shard}: {said.message}", said.hint, False, said.exit_status)
        return None

    def _opened(self) -> Held:
        weights = self._identity.partition("+{")[0]  # worked out once for all
        engine = self._config.engine.model_copy(update={"weights": weights})
        place = RunDirectory.of(self._config.output_dir, None).shards / "workers" / self._name
        mine = self._config.model_copy(update={"engine": engine, "output_dir": str(place)})  # with a log of its own
        return Held(policy_of(mine).engine, self._identity)

    def progress(self) -> Progress:
        """What it did so far."""
        return Progress(self._engine.answered, self._engine.tokens_made) if self._engine else Progress()

    def close(self) -> None:
        """Stops the engine."""
        if self._engine:
            self._engine.close()


class _Plan(NamedTuple):
    """What is to be done.

    Attributes:
        identity: of the policy.
        requests: of the whole run, at most.
    """

    shards: list[Shard]
    unfinished: deque[Shard]
    identity: str
    requests: int


def build_on_ray(config: Config, address: str, *, command: str) -> Built:
    """Builds those shards of a run that are not finished on a Ray cluster, and merges all of them.

    Args:
        address: of the cluster; `auto`: the one that this machine belongs to, else `local`: this machine alone.
        command: builds a shard, but for its `--shard K/N`.

    Raises:
        InputError: something is wrong with the input, or Ray is not installed.
        RunError: a shard failed again and again; the same call goes on from there.
    """
    with _connected(address) as ray:
        plan = _planned(config, _room(ray, config))
        with RunDirectory.of(config.output_dir, None).at_work(KEPT):
            _build_all(ray, config, plan)
    return merge(config, parquet=False, command=command)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import ray
    except ImportError:
        raise InputError("--ray needs Ray", "pip install 'lidr[ray]', the same version on every node") from None
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    alone = {"address": "local", "include_dashboard": False, "object_store_memory": _OBJECTS}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    handler = signal.getsignal(signal.SIGTERM)
    try:
        try:
            ray.init(**quiet, **({"address": address} if address != "local" else alone))
        except ConnectionError:
            if address != "auto":
                raise
            ray.init(**quiet, **alone)
    except (ConnectionError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise RunError(f"--ray {address}: {said}", _CONNECTING) from None
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place
    try:
        yield ray
    finally:
        ray.shutdown()


def _gpus(config: Config, there: float) -> float:
    """GPUs of a worker, on a cluster with so many."""
    if (chosen := config.cluster.gpus_per_worker) is not None:
        return chosen
    if config.engine.base_url or not there:
        return 0
    return config.engine.gpus


def _room(ray: Any, config: Config) -> int:
    """How many workers the cluster has room for now, as far as they are wanted."""
    there, wanted = ray.cluster_resources(), config.cluster
    gpus = _gpus(config, there.get("GPU", 0))
    rooms = [there.get("CPU", 0) // wanted.cpus_per_worker, *([there.get("GPU", 0) // gpus] if gpus else [])]
    return int(min(*rooms, wanted.workers or 1e9))


def _planned(config: Config, room: int) -> _Plan:
    """Checks all that can be checked before anything is asked; joins the prompts, once for all shards."""
    brought(config)
    top, numbered = RunDirectory.of(config.output_dir, None), is_numbered(config)
    there = numbers_of_shards(top)
    if len(there) > 1:
        several = " and ".join(map(str, sorted(there)))
        raise InputError(f"{top.shards}: shards of {several}: those of which run?", "remove the folders of the others")
    of = len(prompt_files(config)[config.dominant_language]) if numbered else max(there, default=0)
    with opened_for(config, f"0/{of}" if numbered else "0/1") as (ready, made):
        assert made is not None
        of = of or shards_for(config, made.total, room)
        shards = [Shard(number, of) for number in range(of)]
        found = {shard: before for shard in shards if (before := read_made(top.shard(*shard)))}
        check_made(config, found, made.models)
        requests = ready.requests_at_most() * (of if numbered else 1)
        unfinished = deque(shard for shard in shards if shard not in found)
        return _Plan(shards, unfinished, ready.roles["policy"].identity, requests)


def _build_all(ray: Any, config: Config, plan: _Plan) -> None:
    gpus = _gpus(config, ray.cluster_resources().get("GPU", 0))
    kind = ray.remote(Worker).options(num_cpus=config.cluster.cpus_per_worker, num_gpus=gpus, max_concurrency=2)
    run, numbers, folder = int(time.time()), itertools.count(), str(Path.cwd())
    crew = Crew(
        lambda: kind.remote(config, plan.identity, f"{run}-{next(numbers)}", folder),
        ray.kill,
        plan.unfinished,
        len(plan.shards) - len(plan.unfinished),
    )
    try:
        with ShardsDisplay(len(plan.shards), plan.requests) as display:
            seen: dict[Any, Progress] = {}
            while crew.done < len(plan.shards):
                crew.hand_out(_room(ray, config))
                _take(ray, crew)
                seen |= _progress(ray, crew)
                display.update(crew.done, sum(shard is not None for _, shard in crew.at.values()), list(seen.values()))
    finally:
        _end(ray, crew.workers)


def _take(ray: Any, crew: Crew) -> None:
    """Takes what workers answered meanwhile."""
    from ray.exceptions import RayActorError

    if not crew.at:
        time.sleep(_LOOK_EVERY)
        return
    ready, _ = ray.wait(list(crew.at), num_returns=len(crew.at), timeout=_LOOK_EVERY)
    for reference in ready:
        try:
            answer = ray.get(reference)
        except RayActorError as error:
            crew.died(reference, " ".join(str(error).split())[-300:])
        else:
            crew.answered(reference, answer)


def _progress(ray: Any, crew: Crew) -> dict[Any, Progress]:
    """Of those at work that answer at once."""
    from ray.exceptions import RayError

    asked = {worker.progress.remote(): worker for worker, shard in crew.at.values() if shard is not None}
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_EVERY) if asked else ([], [])
    found = {}
    for reference in ready:
        with suppress(RayError):  # whoever has died is met where its shard is waited for
            found[asked[reference]] = ray.get(reference)
    return found


def _end(ray: Any, workers: Sequence[Any]) -> None:
    """Ends workers, and with them their servers: first kindly."""
    if closing := [worker.close.remote() for worker in workers]:
        ray.wait(closing, num_returns=len(closing), timeout=_END_SECONDS)
    for worker in workers:
        ray.kill(worker)
