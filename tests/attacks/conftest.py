"""The world that attacks are made on: a small run with one of everything that lidr reads."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lidr_plugin.rounds import iterate as rounds
from tests.support import world as small
from tests.support.server import FakeServer, running


def enter(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Works in a world: its environments, no GPU, and no process of its own for a stage of a round."""
    patch.chdir(folder)
    patch.setenv("CUDA_VISIBLE_DEVICES", "")
    patch.setenv("LIDR_HOME", "home")
    patch.setattr(rounds, "_run", lambda top, stage: None)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The world that is copied; its server answers as long as the tests run."""
    folder = tmp_path_factory.mktemp("made")
    with running(FakeServer(served=["fake", "model", "model1", "judge"])) as url:
        with pytest.MonkeyPatch.context() as patch:
            enter(patch, folder)
            small.make(folder, url)
        yield folder


@pytest.fixture
def world(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which the test works."""
    folder = tmp_path / "world"
    shutil.copytree(made, folder)
    enter(monkeypatch, folder)
    return folder
