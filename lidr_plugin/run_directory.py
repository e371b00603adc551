"""Every path of a run, and the lock that keeps a second process out."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lidr_plugin.errors import Interrupted, RunError


@dataclass(frozen=True, slots=True)
class RunDirectory:
    """The directory of a run (contract, section 4)."""

    path: Path
    store_file: Path | None = None

    @classmethod
    def of(cls, output_dir: str, store: str | None) -> "RunDirectory":
        """The run of a configuration's `output_dir` and `store`."""
        return cls(Path(os.path.expanduser(output_dir)), Path(os.path.expanduser(store)) if store else None)

    @property
    def config(self) -> Path:
        """The configuration as resolved."""
        return self.path / "config.json"

    @property
    def config_before(self) -> Path:
        """The configuration before this one, while the files of a run are put in their places."""
        return self.path / "config.json.before"

    @property
    def store(self) -> Path:
        """Every completion."""
        return self.store_file or self.path / "completions.sqlite"

    @property
    def data(self) -> Path:
        """LLaMA-Factory's `dataset_dir`."""
        return self.path / "data"

    @property
    def dataset_info(self) -> Path:
        """The entries of the datasets in `data`."""
        return self.data / "dataset_info.json"

    @property
    def rejected(self) -> Path:
        """Candidates that became no pair."""
        return self.path / "rejected.jsonl"

    @property
    def marks(self) -> Path:
        """What people marked in `lidr view`."""
        return self.path / "marks.jsonl"

    @property
    def view(self) -> Path:
        """What `lidr view` searches: made from the other files, and made again where it is missing."""
        return self.path / "view.sqlite"

    @property
    def report_json(self) -> Path:
        """What happened, for programs."""
        return self.path / "report.json"

    @property
    def report_html(self) -> Path:
        """What happened, for people."""
        return self.path / "report.html"

    @property
    def report_md(self) -> Path:
        """Its tables, for a README."""
        return self.path / "report.md"

    @property
    def train_yaml(self) -> Path:
        """A complete recipe for `llamafactory-cli train`."""
        return self.path / "train.yaml"

    @property
    def checkpoint(self) -> Path:
        """LLaMA-Factory's `output_dir`."""
        return self.path / "checkpoint"

    @property
    def model(self) -> Path:
        """The merged model of the next round."""
        return self.path / "model"

    @property
    def train_log(self) -> Path:
        """What `llamafactory-cli` said."""
        return self.path / "train.log"

    @property
    def train_json(self) -> Path:
        """The training's state and result, for programs."""
        return self.path / "train.json"

    def round(self, number: int) -> "RunDirectory":
        """The directory of a round of `lidr iterate`, which shares this one's store."""
        return RunDirectory(self.path / f"iter{number}", self.store)

    @property
    def shards(self) -> Path:
        """The parts of a sharded run, and what is made once for all of them."""
        return self.path / "shards"

    def shard(self, number: int, of: int) -> "RunDirectory":
        """The directory of a shard, which has a store of its own."""
        return RunDirectory(self.shards / f"{number}-of-{of}")

    @property
    def shard_json(self) -> Path:
        """What a finished shard was made of."""
        return self.path / "shard.json"

    @property
    def survey_json(self) -> Path:
        """What a shard found in a first pass over its prompts, for the other shards."""
        return self.path / "survey.json"

    @property
    def candidates_json(self) -> Path:
        """Those candidates of a shard by which the languages of the whole run are judged."""
        return self.path / "candidates.json"

    def stage(self, name: str) -> Path:
        """The resolved configuration that `lidr iterate` hands to a stage of this round."""
        return self.path / f"stage-{name}.json"

    @property
    def iterate_json(self) -> Path:
        """The state of `lidr iterate`."""
        return self.path / "iterate.json"

    @property
    def probe_json(self) -> Path:
        """What `lidr probe` measured."""
        return self.path / "probe.json"

    @property
    def eval_results(self) -> Path:
        """What `lidr eval` measured."""
        return self.path / "eval" / "results.json"

    def of_node(self, rank: int) -> tuple[Path, Path]:
        """Recipe and log of a training's further node, which may share this directory with the first."""
        return self.path / f"train-node{rank}.yaml", self.path / f"train-node{rank}.log"

    def dataset(self, name: str) -> Path:
        """The dataset's file."""
        return self.data / f"{name}.jsonl"

    def nearest(self) -> Path:
        """The run's directory, or what there is of its path."""
        place = self.path.absolute()
        while not os.path.exists(place):
            place = place.parent
        return place

    def free_bytes(self) -> int:
        """Free space where the run's directory is or will be."""
        return shutil.disk_usage(self.nearest()).free

    def wait_until_free(self, seconds: float) -> None:
        """Waits so long at most for another process to leave the directory, as one does whose parent was killed."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                with (self.path / ".lock").open() as handle:
                    if _held(handle.fileno()):
                        return
            except FileNotFoundError:
                return
            time.sleep(0.1)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run's directory, which is made if absent. The lock ends with the process, however it ends.

        Raises:
            RunError: another process holds it, whose pid is named; or the directory cannot be written.
        """
        lock = self.path / ".lock"
        with ExitStack() as held:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
                # The folder too: whoever removes the file lets nobody in.
                folder = _opened(self.path, os.O_RDONLY, held)
                handle = _opened(lock, os.O_RDWR | os.O_CREAT, held)
                while _held(handle) and not _is_at(handle, lock):  # the one before has just removed it
                    handle = _opened(lock, os.O_RDWR | os.O_CREAT, held)
            except OSError as error:
                raise RunError.of(error, self.path, "set another output_dir") from None
            if not (_held(handle) and _held(folder)):
                pid = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                raise RunError(
                    f"{self.path}: another lidr is at work there (pid {pid})", "wait for it, or set another output_dir"
                )
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            try:
                yield
            finally:
                if _is_at(handle, lock):
                    lock.unlink()

    @contextmanager
    def at_work(self, kept: str) -> Iterator[None]:
        """Holds the directory while a stage works there, and says what is kept where it is interrupted or the disk fails.

        Raises:
            Interrupted: Ctrl-C.
            RunError: another process holds the directory, or a file cannot be written.
        """
        with self.locked():
            try:
                yield
            except KeyboardInterrupt:
                raise Interrupted("interrupted", kept) from None
            except OSError as error:
                if isinstance(
                    error.__context__, KeyboardInterrupt
                ):  # the terminal is gone on which the end was to be shown
                    raise Interrupted("interrupted", kept) from None
                raise RunError.of(error, self.path, kept) from None


def _opened(path: Path, flags: int, held: ExitStack) -> int:
    """A descriptor that is closed, and so lets go of its lock, with `held`."""
    handle = os.open(path, flags, 0o666)
    held.callback(os.close, handle)
    return handle


def _held(handle: int) -> bool:
    """Whether this process holds the lock now. A file system that locks no folders, as NFS, holds nobody up."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file still is the one at `path`."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
