"""Stores on a network's disk: one process at a time, without memory that it would share."""

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from lidr_plugin.completions import store_file
from lidr_plugin.completions.requests import Chat, Completion, Message, Sampling, canonical_json
from lidr_plugin.completions.rows import Entry
from lidr_plugin.completions.store import Store
from lidr_plugin.errors import StoreError
from lidr_plugin.machine import mounts
from lidr_plugin.machine.mounts import is_network


def entry(number: int) -> Entry:
    """Any one."""
    chat = Chat("w", (Message("user", f"number {number}"),), Sampling(0.0, 1.0, 9, 1.0, 42, False))
    return Entry(canonical_json(chat), Completion(f"answer {number}", "stop", 1, 1, False))


def hold(path: Path, end: Connection) -> None:
    """In another process: writes to a store on a network's disk, and keeps it open."""
    store_file.is_network = lambda _: True
    with Store(path) as store:
        store.put_many([entry(0), entry(1)])
        end.send(sorted(x.name for x in path.parent.iterdir()))
        end.recv()


@pytest.mark.parametrize("killed", [False, True])
def test_a_second_process_is_told_and_after_the_end_of_the_first_however_it_ends_has_all_of_it(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_file, "is_network", lambda _: True)
    monkeypatch.setattr(store_file, "_PATIENCE", 0.2)
    path, (here, there) = tmp_path / "completions.sqlite", multiprocessing.Pipe()
    other = multiprocessing.get_context("spawn").Process(target=hold, args=(path, there))
    other.start()
    assert here.recv() == ["completions.sqlite", "completions.sqlite-wal"], "no -shm"
    with pytest.raises(StoreError, match="locked by another program"):
        Store(path)
    if killed:
        os.kill(other.pid or 0, signal.SIGKILL)
    else:
        here.send("end")
    other.join()
    with Store(path) as store:
        assert len(store) == 2
        assert store.put_many([entry(1), entry(2)]) == 1
        assert not store.verify()
    assert [x.name for x in tmp_path.iterdir()] == ["completions.sqlite"]
    here.close()
    there.close()


@pytest.mark.parametrize(
    ("path", "network"),
    [
        ("/", False),
        ("/home/me/runs", True),
        ("/home/me/runs/fast/x", False),
        ("/homes", False),
        ("/mnt/my share/x", True),
        ("/mnt/bucket/x", True),
        ("/over/x", True),
    ],
)
def test_the_file_system_of_a_path_is_that_of_the_nearest_mount(
    path: str, network: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\n/dev/sdb /home/me/runs/fast xfs rw 0 0\n"
        "//server/x /mnt/my\\040share cifs rw 0 0\nbucket /mnt/bucket fuse.gcsfuse rw 0 0\n"
        "/dev/sdc /over ext4 rw 0 0\nserver:/over /over nfs rw 0 0\n"
    )
    monkeypatch.setattr(mounts, "_TABLE", table)
    assert is_network(Path(path)) is network


def test_a_machine_that_does_not_tell_its_mounts_has_no_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "none")
    assert not is_network(tmp_path)
