"""Prompt files wherever they lie: packed, several for a language, at an address; read as they come."""

import gzip
import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet
import pytest
import zstandard

import lidr_plugin as lidr
from lidr_plugin.config.columns import Columns
from lidr_plugin.machine.sources import format_of, found, source_lines
from lidr_plugin.prompts.files import read_rows
from tests.conftest import Lidr, prompts, write_config, write_prompts
from tests.support.bucket import bucket
from tests.support.fake import Speaker
from tests.support.hub import FakeHub, serving
from tests.support.server import FakeServer, running

ROWS = [{"id": str(n), "instruction": f"Tell me about boat number {n}."} for n in range(40)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def read(source: Path | str) -> list[str]:
    return [row.instruction for row in read_rows(source, Columns(), need_id=True)]


@pytest.fixture(params=["memory", "s3"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder that is not on this disk."""
    if request.param == "s3":
        with bucket(monkeypatch, "prompts") as place:
            yield place
        return
    yield "memory://lidr-prompts"
    fsspec.filesystem("memory").rm("/lidr-prompts", recursive=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_file_is_read_packed_or_not_here_or_elsewhere(suffix: str, tmp_path: Path, elsewhere: str) -> None:
    path = tmp_path / f"en.jsonl{suffix}"
    path.write_bytes(PACKERS[suffix](LINES))
    assert read(path) == [row["instruction"] for row in ROWS]
    address = f"{elsewhere}/en.jsonl{suffix}"
    with fsspec.open(address, "wb") as file:
        file.write(path.read_bytes())
    assert read(address) == read(path)


def test_what_is_packed_in_several_pieces_is_read_whole(tmp_path: Path) -> None:
    half = len(LINES) // 2
    for suffix in (".gz", ".zst"):
        path = tmp_path / f"en.jsonl{suffix}"
        path.write_bytes(PACKERS[suffix](LINES[:half]) + PACKERS[suffix](LINES[half:]))
        assert read(path) == [row["instruction"] for row in ROWS]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_damaged_packed_file_is_told_with_its_line(suffix: str, tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps({"id": str(n), "instruction": f"{n * 7919 % 10007} boats"}).encode() + b"\n" for n in range(9999)
    )
    packed = PACKERS[suffix](lines)
    path = tmp_path / f"en.jsonl{suffix}"
    for broken in (packed[: len(packed) // 2], b"not packed at all", packed[:5000] + b"\xff" * 400 + packed[5400:]):
        path.write_bytes(broken)
        with pytest.raises(lidr.InputError, match=rf"en\.jsonl\{suffix}:\d+"):
            list(source_lines(path))


def test_a_packed_file_is_not_unpacked_beyond_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "en.jsonl.gz"
    with gzip.open(path, "wb") as file:
        file.write(LINES)
        for _ in range(300):
            file.write(b" " * (1 << 20))  # a line that never ends, and would not fit
    assert len(list(islice(source_lines(path), len(ROWS)))) == len(ROWS)


def test_a_pattern_takes_all_files_in_the_order_of_their_names(tmp_path: Path, elsewhere: str) -> None:
    for number in (2, 0, 1):
        part = LINES.splitlines(keepends=True)[number * 10 : number * 10 + 10]
        (tmp_path / f"part-{number}.jsonl").write_bytes(b"".join(part))
        with fsspec.open(f"{elsewhere}/part-{number}.jsonl", "wb") as file:
            file.write(b"".join(part))
    here = found(tmp_path / "part-*.jsonl")
    assert [path.name for path in here if isinstance(path, Path)] == ["part-0.jsonl", "part-1.jsonl", "part-2.jsonl"]
    there = found(f"{elsewhere}/part-*.jsonl")
    assert [text for path in there for text in read(path)] == [row["instruction"] for row in ROWS[:30]]
    assert found(f"{elsewhere}/none.jsonl") == found(tmp_path / "none*") == []


def test_a_name_with_a_pattern_s_signs_is_that_file_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "[en].jsonl").write_bytes(LINES)
    assert found(tmp_path / "[en].jsonl") == [tmp_path / "[en].jsonl"]


def test_row_groups_are_read_one_after_the_other(tmp_path: Path) -> None:
    rows = [{"id": str(n), "instruction": f"{n} " + "x" * 1000} for n in range(20_000)]
    pyarrow.parquet.write_table(
        pa.Table.from_pylist(rows), tmp_path / "en.parquet", row_group_size=1000, compression="none"
    )
    taken: list[int] = []
    reader = read_rows(tmp_path / "en.parquet", Columns(), need_id=True)
    before = pa.total_allocated_bytes()
    for row in islice(reader, 15_000):
        taken.append(pa.total_allocated_bytes() - before)
        assert row.id
    assert max(taken) < 12 << 20, "of 20 MB"


@pytest.mark.parametrize(
    ("prompts_", "said"),
    [
        ("nowhere://bucket/{language}.jsonl", "nowhere"),
        ("memory://lidr-none/{language}.jsonl", "no such file"),
        ("prompts/{language}.parquet.gz", "no such file"),
    ],
)
def test_an_address_that_leads_nowhere_is_wrong_input(prompts_: str, said: str, tmp_path: Path, lidr: Lidr) -> None:
    done = lidr("build-pairs", write_config(tmp_path, prompts=prompts_))
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_run_and_its_shards_read_prompts_elsewhere(tmp_path: Path, elsewhere: str) -> None:
    write_prompts(tmp_path, prompts(6, ["en", "de"]))
    for path in (tmp_path / "prompts").iterdir():
        with fsspec.open(f"{elsewhere}/{path.stem}/0.jsonl.gz", "wb") as file:
            file.write(gzip.compress(path.read_bytes()))
    values: dict[str, Any] = {"languages": ["de"], "template": "qwen", "filters": {"fidelity": False}}
    config = lidr.configure(
        model_name_or_path="fake",
        prompts=elsewhere + "/{language}/*.jsonl.gz",
        output_dir=str(tmp_path / "there"),
        **values,
    )
    for number in range(2):
        lidr.build_pairs(config, shard=f"{number}/2", engine=Speaker())
    lidr.merge(config)
    here = lidr.configure(
        model_name_or_path="fake",
        prompts=str(tmp_path / "prompts/{language}.jsonl"),
        output_dir=str(tmp_path / "here"),
        **values,
    )
    lidr.build_pairs(here, engine=Speaker())
    assert (tmp_path / "there/data/lidr.jsonl").read_bytes() == (tmp_path / "here/data/lidr.jsonl").read_bytes()


def test_a_dataset_of_the_hub_is_read_by_its_address(tmp_path: Path, command: Lidr) -> None:
    write_prompts(tmp_path, prompts(6, ("en", "de")))
    files = {
        f"datasets/me/boats/{code}.jsonl": (tmp_path / f"prompts/{code}.jsonl").read_text() for code in ("en", "de")
    }
    with serving(FakeHub(files)) as hub, running(FakeServer()) as url:
        config = write_config(
            tmp_path, prompts="hf://datasets/me/boats/{language}*.jsonl", languages=["de"], engine__base_url=url
        )
        done = command("build-pairs", config, "--dry-run", "--json", env={"HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["estimate"]["prompts"] == 6


def test_the_format_is_told_by_the_name_without_the_packing() -> None:
    assert [format_of(name) for name in ("a.jsonl", "s3://b/a.CSV.gz", Path("x.json.zst"))] == [
        ".jsonl",
        ".csv",
        ".json",
    ]
