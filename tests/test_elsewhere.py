"""Shards on machines without a common disk: what one has left in `shards_dir` the next begins with."""

import gzip
import importlib.util
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lidr_plugin as lidr
from lidr_plugin.completions import parts as parts_module
from lidr_plugin.completions.parts import Parts, copied
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.completions.store import Store
from lidr_plugin.machine.places import Place
from tests.conftest import files_of, prompts, settings, write_prompts
from tests.support.bucket import bucket
from tests.support.fake import Speaker


@pytest.fixture(params=["memory", "folder", "s3"])
def address(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A place that outlives the machines."""
    if request.param == "memory":
        yield f"memory://{tmp_path.name}"
        fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)
    elif request.param == "folder":
        yield str(tmp_path / "shared folder")
    else:
        with bucket(monkeypatch, "runs") as place:
            yield f"{place}/demo"


def machine(folder: Path, name: str, address: str) -> lidr.Config:
    """The run's configuration on a machine with a disk of its own."""
    values = settings(folder, output_dir=str(folder / name), shards_dir=address)
    return lidr.configure(**{**values, "engine": {}, "prompts": str(folder / "prompts/{language}.jsonl")})


class Falling(Speaker):
    """Stops the run at its so many-th request, as a machine that is lost."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._left = at

    async def complete(self, request: Chat) -> Completion:
        self._left -= 1
        if self._left < 0:
            raise lidr.RequestError("the machine is lost")
        return await super().complete(request)


def test_another_machine_goes_on_from_what_a_lost_one_left_and_the_merge_is_the_single_run(
    address: str, tmp_path: Path
) -> None:
    write_prompts(tmp_path, prompts(8))
    lost = Falling(12)
    with pytest.raises(lidr.RunError):
        lidr.build_pairs(machine(tmp_path, "a", address), shard="0/2", engine=lost)
    second = Speaker()
    built = lidr.build_pairs(machine(tmp_path, "b", address), shard="0/2", engine=second)
    assert built.report["completions"]["reused"] >= len(lost.seen) > 0
    assert not {request._replace(row="") for request in lost.seen} & {x._replace(row="") for x in second.seen}
    lidr.build_pairs(machine(tmp_path, "c", address), shard="1/2", engine=Speaker())
    third = Speaker()
    lidr.build_pairs(machine(tmp_path, "c", address), shard="0/2", engine=third)
    assert not third.seen, "a shard that is finished elsewhere is brought"
    lidr.merge(machine(tmp_path, "d", address))
    whole = machine(tmp_path, "whole", address)
    lidr.build_pairs(whole, engine=Speaker())
    assert files_of(tmp_path / "d") == files_of(tmp_path / "whole")


def entry(number: int) -> Any:
    from lidr_plugin.completions.requests import Message, Sampling, canonical_json
    from lidr_plugin.completions.rows import Entry

    sampling = Sampling(0.0, 1.0, 9, 1.0, 42, False)
    chat = Chat("w", (Message("user", f"number {number}"),), sampling)
    return Entry(canonical_json(chat), Completion(f"answer {number}", "stop", 1, 1, False))


def test_what_is_new_is_copied_every_while_and_what_a_killed_attempt_had_not_copied_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts_module, "EVERY", 0.02)
    place = Place.at(str(tmp_path / "there"))
    with Store(tmp_path / "store") as store:
        store.put_many([entry(0), entry(1)])  # left by an attempt that was killed
    with copied(tmp_path / "store", Parts(place, "p")) as store:
        assert len(place.names("p")) == 1
        store.put_many([entry(2)])
        while len(place.names("p")) < 2:
            time.sleep(0.01)
        store.put_many([entry(3)])
    with Store(tmp_path / "other") as other:
        assert Parts(place, "p").exchange(other) == 4
        assert {x.completion.text for x in other.entries()} == {f"answer {number}" for number in range(4)}


def test_a_place_that_fails_meanwhile_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "EVERY", 0.01)
    parts, tried = Parts(Place.at(str(tmp_path / "there")), "p"), threading.Event()
    real, fails = parts.give, iter([True])

    def give(entries: Any) -> None:
        if next(fails, False):
            tried.set()
            raise lidr.RunError("there is no answer")
        real(entries)

    monkeypatch.setattr(parts, "give", give)
    with copied(tmp_path / "store", parts) as store:
        store.put_many([entry(0)])
        assert tried.wait(60)
    with Store(None) as other:
        assert parts.exchange(other) == 1


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    parts = Parts(Place.at(str(tmp_path)), "p")
    for content in (b"rubbish", gzip.compress(b"{}\n"), gzip.compress(b"{}\n")[:-9]):
        (tmp_path / "p/x.jsonl.gz").write_bytes(content)
        with Store(None) as store, pytest.raises(lidr.RunError, match=r"p/x\.jsonl\.gz: damaged"):
            parts.exchange(store)


def test_a_place_that_nothing_knows_or_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(lidr.InputError, match="nowhere://x"):
        Place.at("nowhere://x")
    if importlib.util.find_spec("s3fs"):
        fsspec.filesystem("s3").clear_instance_cache()
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.setenv(name, "/nowhere")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        for key in ("", "x"):  # without keys, and without a server
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
            monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            with pytest.raises(lidr.RunError, match="s3://runs/demo"):
                Place.at("s3://runs/demo").names()
            fsspec.filesystem("s3").clear_instance_cache()
    (tmp_path / "file").write_text("")
    with pytest.raises(lidr.RunError, match="file"):
        Place.at(str(tmp_path / "file")).write("a/b", b"")


def test_a_shard_without_shards_dir_copies_nothing(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(2))
    config = lidr.configure(
        **{**settings(tmp_path), "engine": {}, "prompts": str(tmp_path / "prompts/{language}.jsonl")}
    )
    lidr.build_pairs(config, shard="0/1", engine=Speaker())
    assert {path.name for path in tmp_path.iterdir()} == {"prompts", "run"}
