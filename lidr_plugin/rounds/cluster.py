"""`lidr build-pairs --ray`: the shards of a run on the workers of a Ray cluster, and then their merge.

Ray places workers and notices those that die; what a shard has finished is in its store. Nothing else imports this file.
"""

import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin.completions.models import policy_of
from lidr_plugin.completions.progress import Meter, say
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.build import Built
from lidr_plugin.dataset.shards import Shard, opened_for
from lidr_plugin.errors import InputError, LidrError, RunError
from lidr_plugin.rounds.build import build_pairs, merge
from lidr_plugin.rounds.held import Held
from lidr_plugin.run_directory import RunDirectory

_TRIES = 6
"""Times that a shard may fail without its worker's death, as by a server that is away, or by the lock of a worker that dies."""
_PAUSE = 2.0
"""Seconds before a shard that failed is begun again, times its tries."""
_MOST_SHARDS = 64
_LINE_EVERY = 30.0


class Failure(NamedTuple):
    """Why a shard could not be built; errors of lidr's own do not survive the way between processes."""

    status: int
    message: str
    hint: str

    def error(self) -> LidrError:
        """As it was."""
        return (InputError if self.status == InputError.exit_status else RunError)(self.message, self.hint)


class Worker:
    """In a process of its own somewhere: builds one shard after the other with an engine that stays open."""

    def __init__(self, config: Config, identity: str, name: str) -> None:
        top = RunDirectory.of(config.output_dir, None).shards
        weights = identity.partition("+{")[0]  # worked out once for all
        engine = config.engine.model_copy(update={"weights": weights})
        mine = config.model_copy(update={"engine": engine, "output_dir": str(top / "workers" / name)})
        self._config = config
        self._engine = Held(policy_of(mine).engine, identity)

    def build(self, shard: Shard) -> Failure | None:
        """Builds a shard; what is in its store is not asked again."""
        try:
            build_pairs(self._config, str(shard), engine=self._engine)
        except LidrError as error:
            return Failure(error.exit_status, f"shard {shard}: {error.message}", error.hint)
        return None

    def progress(self) -> tuple[int, int]:
        """Completions of this worker so far, and their tokens."""
        return self._engine.answered, self._engine.tokens

    def close(self) -> None:
        """Stops the engine."""
        self._engine.close()


@dataclass
class _Crew:
    """The workers and what each is at.

    Attributes:
        at: by the reference of its answer, worker and shard.
        idle: workers that wait for a shard.
        asleep: shards that failed, each with the time from which on it may be begun again.
    """

    start: Callable[[], Any]
    todo: deque[Shard]
    at: dict[Any, tuple[Any, Shard]] = field(default_factory=dict)
    idle: list[Any] = field(default_factory=list)
    asleep: list[tuple[float, Shard]] = field(default_factory=list)
    tries: Counter[Shard] = field(default_factory=Counter)
    done: int = 0

    def hand_out(self, most: int) -> None:
        """Gives every worker a shard, new ones too, up to so many."""
        now = time.monotonic()
        self.todo.extendleft(shard for due, shard in self.asleep if due <= now)
        self.asleep = [(due, shard) for due, shard in self.asleep if due > now]
        while self.todo and (self.idle or len(self.at) < most):
            worker, shard = self.idle.pop() if self.idle else self.start(), self.todo.popleft()
            self.at[worker.build.remote(shard)] = (worker, shard)

    def take(self, reference: Any, answer: Failure | None, *, dead: bool) -> None:
        """Takes what a worker answered, or that it died: then another one goes on from the shard's store."""
        worker, shard = self.at.pop(reference)
        if dead:
            self.todo.appendleft(shard)
            return
        self.idle.append(worker)
        if answer is None:
            self.done += 1
            return
        self.tries[shard] += 1
        if answer.status == InputError.exit_status or self.tries[shard] == _TRIES:
            raise answer.error()
        say(f"{answer.message}; it is begun again")
        self.asleep.append((time.monotonic() + _PAUSE * self.tries[shard], shard))


def build_on_ray(config: Config, address: str, *, parquet: bool = False, command: str) -> Built:
    """Builds what is not finished of a run's shards on a Ray cluster, and merges them.

    Args:
        address: of the cluster; `auto`: the one that this machine belongs to, else one of this machine alone.

    Raises:
        InputError: something is wrong with the input, or Ray is not installed.
        RunError: a shard failed again and again; the same call goes on from there.
    """
    config = _absolute(config)
    kept = "every finished completion is kept; the same command goes on from there"
    with _connected(address) as ray:
        shards, identity = _shards(ray, config)
        with RunDirectory.of(config.output_dir, None).at_work(kept):
            _build_all(ray, config, shards, identity)
    return merge(config, parquet=parquet, command=command)


def _absolute(config: Config) -> Config:
    """The configuration with paths that hold on another machine, as far as its disks are shared."""
    context = {"folder": config.folder.absolute()}
    made = Config.model_validate(config.model_dump(mode="json"), context=context)
    path = Path(RunDirectory.of(config.output_dir, None).path).absolute()
    return made.model_copy(update={"output_dir": str(path)})


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import ray
    except ImportError:
        raise InputError("--ray needs Ray", "pip install 'lidr[ray]', the same version on every node") from None
    handler = signal.getsignal(signal.SIGTERM)
    try:
        place = None if address == "auto" else address
        ray.init(address=place, log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise RunError(f"--ray {address}: {said}", "ray start --head makes a cluster; ray status shows it") from None
    finally:
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own in that place
    try:
        yield ray
    finally:
        ray.shutdown()  # ends the workers, and with them their servers


def _room(ray: Any, config: Config) -> int:
    """How many workers the cluster has room for."""
    there, wanted = ray.cluster_resources(), config.cluster
    if wanted.workers:
        return wanted.workers
    room = there.get("CPU", 0) // wanted.cpus_per_worker
    return int(min(room, there.get("GPU", 0) // wanted.gpus_per_worker) if wanted.gpus_per_worker else room)


def _shards(ray: Any, config: Config) -> tuple[list[Shard], str]:
    """The shards of a run, and the identity of the model; checks all that can be checked before anything is asked."""
    top = RunDirectory.of(config.output_dir, None)
    names = [path.name.rpartition("-of-")[2] for path in top.shards.glob("*-of-*")]
    there = {int(name) for name in names if name.isdecimal() and name.isascii()}
    if len(there) > 1:
        raise InputError(f"{top.shards}: shards of {' and '.join(map(str, sorted(there)))}", "remove those of one")
    with opened_for(config, "0/1" if not there else f"0/{max(there)}", keep=False) as (ready, made):
        assert made is not None
        total, identity = made.total, ready.roles["policy"].identity
    of = max(there) if there else config.cluster.shards or min(_MOST_SHARDS, 4 * max(1, _room(ray, config)))
    return [Shard(number, min(of, total)) for number in range(min(of, total))], identity


def _unfinished(config: Config, shards: list[Shard]) -> deque[Shard]:
    top = RunDirectory.of(config.output_dir, None)
    return deque(shard for shard in shards if not top.shard(*shard).shard_json.exists())


def _build_all(ray: Any, config: Config, shards: list[Shard], identity: str) -> None:
    from ray.exceptions import ActorDiedError, ActorUnavailableError, GetTimeoutError, RayActorError

    wanted, names = config.cluster, iter(range(sys.maxsize))
    kind = ray.remote(Worker).options(
        num_cpus=wanted.cpus_per_worker, num_gpus=wanted.gpus_per_worker, max_concurrency=2, max_restarts=0
    )
    todo = _unfinished(config, shards)
    crew = _Crew(lambda: kind.remote(config, identity, f"{int(time.time())}-{next(names)}"), todo)
    crew.done = len(shards) - len(todo)
    meter, shown = Meter(), time.monotonic()
    seen: dict[Any, tuple[int, int]] = {}
    while crew.done < len(shards):
        crew.hand_out(_room(ray, config))
        ready, _ = ray.wait(list(crew.at), timeout=1.0) if crew.at else ([], time.sleep(1.0))
        for reference in ready:
            try:
                crew.take(reference, ray.get(reference), dead=False)
            except (ActorDiedError, ActorUnavailableError, RayActorError):
                say(f"a worker died in shard {crew.at[reference][1]}: another one goes on from its store")
                crew.take(reference, None, dead=True)
        if time.monotonic() - shown > _LINE_EVERY:
            shown = time.monotonic()
            for worker, _ in crew.at.values():
                try:
                    seen[worker] = ray.get(worker.progress.remote(), timeout=1.0)
                except (RayActorError, GetTimeoutError):
                    continue
            answers, tokens = (sum(numbers) for numbers in zip(*seen.values(), strict=True)) if seen else (0, 0)
            rate = tokens / max(meter.seconds, 1e-9)
            say(
                f"rows: {crew.done}/{len(shards)} shards, {len(crew.at)} workers, {answers:,} generated, {rate:.0f} tokens/s"
            )
    for worker in crew.idle:
        ray.get(worker.close.remote())
