"""Every path of a run, and the lock that keeps a second process out."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
        return cls(Path(output_dir).expanduser(), Path(store).expanduser() if store else None)

    @property
    def config(self) -> Path:
        """The configuration as resolved."""
        return self.path / "config.json"

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
        while (self.path / ".lock").exists() and time.monotonic() < until:
            with (self.path / ".lock").open() as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    time.sleep(0.1)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the run's directory, which is made if absent. The lock ends with the process, however it ends.

        Raises:
            RunError: another process holds it, whose pid is named; or the directory cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise RunError.of(error, self.path, "set another output_dir") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
                raise RunError(
                    f"{self.path}: another lidr is at work there (pid {pid})", "wait for it, or set another output_dir"
                ) from None
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(handle)

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
                raise RunError.of(error, self.path, kept) from None
