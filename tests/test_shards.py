"""Shards: slices of a run, each with a store of its own, and their merge to the bytes of the run without them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings, strategies

import lidr_plugin as lidr
from lidr_plugin.dataset import merge as merging
from lidr_plugin.dataset.counts import length_bin
from lidr_plugin.dataset.marks import Mark, add_mark, seal
from lidr_plugin.dataset.shards import Shard
from lidr_plugin.files import dump_line
from lidr_plugin.machine.inputs import read_lines
from lidr_plugin.prompts import files
from tests.conftest import LANGUAGES, Lidr, files_of, prompts, rows_of, write_config, write_prompts
from tests.support.fake import Speaker
from tests.support.server import FakeServer, running

OF_THE_WORK = ("seconds", "tokens_per_second", "timeline", "completions", "scores", "tokens", "run", "rounds")
"""What a report says of the work and where it lies, not of what came of it."""


def config_of(folder: Path, output: str, **values: Any) -> lidr.Config:
    wanted = {
        "model_name_or_path": "fake",
        "template": "qwen",
        "languages": ["de", "es", "fr"],
        "prompts": str(folder / "prompts/{language}.jsonl"),
        "output_dir": str(folder / output),
        "dataset_name": "demo",
        "filters": {"fidelity": False},  # the fake model's translations are made up
    }
    return lidr.configure(**{**wanted, **values})


def result_of(run: Path) -> tuple[dict[str, bytes], dict[str, Any], str]:
    """What a run promises: its files, its report, and its recipe but for where it lies."""
    report = json.loads((run / "report.json").read_bytes())
    recipe = (run / "train.yaml").read_text().replace(str(run), "RUN")
    return files_of(run), {key: value for key, value in report.items() if key not in OF_THE_WORK}, recipe


def whole(folder: Path, **values: Any) -> tuple[dict[str, bytes], dict[str, Any], str]:
    lidr.build_pairs(config_of(folder, "whole", **values), engine=Speaker())
    return result_of(folder / "whole")


def in_shards(folder: Path, of: int, **values: Any) -> tuple[dict[str, bytes], dict[str, Any], str]:
    """The shards from the last to the first, put together."""
    config = config_of(folder, f"of{of}", **values)
    for number in reversed(range(of)):
        lidr.build_pairs(config, shard=f"{number}/{of}", engine=Speaker())
    lidr.merge(config)
    return result_of(folder / f"of{of}")


RUNS: Mapping[str, Mapping[str, Any]] = {
    "pairs": {},
    "dominant pairs of all": {"dominant_pairs": "all", "generation": {"system": "Be brief."}},
    "by row": {"join_on": "row", "max_prompts": 8, "skip_prompts": 3},
    "by id, a part": {"max_prompts": 7, "skip_prompts": 4, "filters": {"length_ratio": False, "fidelity": False}},
    "sft": {"method": "alignment", "train": {"method": "full"}},
    "ranked": {"method": "rank", "task": "math", "rank": {"by": "answer", "samples": 4}},
    "copies": {"method": "rank", "task": "math", "rank": {"by": "vote", "samples": 4, "threshold": 0.1}},
    "mix": {"method": "mix", "mix": {"answer": 1.0, "question": 0.5}},
    "conversations": {"dataset_format": "messages"},
    "math": {"task": "math", "answer_filter": "chosen_correct"},
}


@pytest.mark.parametrize("name", RUNS)
def test_shards_put_together_are_the_run_without_them(name: str, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(12), **({"final_answer": "12"} if name in ("math", "ranked") else {}))
    wanted = whole(tmp_path, **RUNS[name])
    assert wanted[1]["prompts"] > 5
    for of in (1, 2, 3, 7) if name == "pairs" else (3,):
        assert in_shards(tmp_path, of, **RUNS[name]) == wanted


TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
DATES = strategies.dates().map(str)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    texts=strategies.lists(TEXTS | DATES, min_size=3, max_size=6, unique=True),
    of=strategies.integers(1, 3),
    policy=strategies.sampled_from(["one", "all", "last", "none"]),
)
def test_any_prompts_in_any_number_of_shards_give_the_same_bytes(
    texts: Sequence[str], of: int, policy: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    write_prompts(
        folder, [{code: text if code == "en" else f"[{code}] {text}" for code in LANGUAGES} for text in texts]
    )
    values = {"dominant_pairs": policy, "translation_prompts": "ignore", "filters": {"fidelity": False}}
    assert in_shards(folder, of, **values) == whole(folder, **values)


def test_shards_ask_for_the_same_completions_and_each_once_more_for_what_all_prompts_share(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(6))
    engines = [Speaker() for _ in range(4)]
    config = config_of(tmp_path, "run", filters={})
    for number in range(3):
        lidr.build_pairs(config, shard=f"{number}/3", engine=engines[number])
    lidr.build_pairs(config_of(tmp_path, "whole", filters={}), engine=engines[3])
    asked = [request._replace(row="") for engine in engines[:3] for request in engine.seen]
    assert set(asked) == {request._replace(row="") for request in engines[3].seen}
    twice = [request for request in set(asked) if asked.count(request) > 1]
    assert len(twice) == 4, "the translation of lidr's own request, in each language"
    assert lidr.merge(config).report["completions"]["generated"] == len(asked)


def test_a_dataset_of_dates_alone_is_changed_where_it_is_whole(tmp_path: Path) -> None:
    rows = [dict.fromkeys(LANGUAGES, f"2024-01-{day:02}") for day in range(1, 13)]
    write_prompts(tmp_path, rows)
    off = {"filters": dict.fromkeys(("off_target", "fidelity", "length_ratio"), False)}
    wanted = whole(tmp_path, **off)
    assert wanted[0]["demo.jsonl"].count(b' ","input"') == 1, "one date is no date any more"
    assert in_shards(tmp_path, 4, **off) == wanted
    for path in (tmp_path / "of4/shards").glob("*/data/demo.jsonl"):
        assert b' ","input"' not in path.read_bytes()


def test_the_slices_are_whole_and_nearly_equal() -> None:
    for prompts_, of in ((10, 3), (7, 7), (100, 16)):
        slices = [Shard(number, of).positions(prompts_) for number in range(of)]
        assert [position for slice_ in slices for position in slice_] == list(range(prompts_))
        assert max(map(len, slices)) - min(map(len, slices)) <= 1


def test_a_finished_shard_does_nothing(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    config = config_of(tmp_path, "run")
    first = lidr.build_pairs(config, shard="1/3", engine=Speaker())
    written = {path: path.stat().st_mtime_ns for path in first.run.path.rglob("*") if path.is_file()}
    engine = Speaker()
    again = lidr.build_pairs(config, shard="1/3", engine=engine)
    assert not engine.opened
    assert again.report == json.loads((first.run.report_json).read_bytes())
    assert {path: path.stat().st_mtime_ns for path in first.run.path.rglob("*") if path.is_file()} == written


def test_a_finished_shard_is_refused_with_other_settings_each_named_with_old_and_new(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    built = lidr.build_pairs(config_of(tmp_path, "run"), shard="1/3", engine=Speaker())
    before = files_of(built.run.path)
    other = config_of(tmp_path, "run", dominant_pairs="all", engine={"concurrency": 3}, train={"method": "qlora"})
    with pytest.raises(lidr.InputError) as refused:
        lidr.build_pairs(other, shard="1/3", engine=Speaker())
    assert "dominant_pairs: was 'one', is 'all'" in refused.value.message
    assert "1 problem" in refused.value.message
    assert files_of(built.run.path) == before
    (built.run.path / "shard.json").unlink()
    again = lidr.build_pairs(other, shard="1/3", engine=Speaker())
    assert again.report["completions"]["reused"] > 0


def test_a_finished_shard_is_refused_where_prompts_or_model_are_others(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    config = config_of(tmp_path, "run")
    lidr.build_pairs(config, shard="1/3", engine=Speaker())
    engine = Speaker()
    engine.identity = "another"
    with pytest.raises(lidr.InputError, match="model \\(policy\\): was 'fake', is 'another'"):
        lidr.build_pairs(config, shard="1/3", engine=engine)
    rows = prompts(9)
    rows[8]["de"] += " Please."
    write_prompts(tmp_path, rows)
    with pytest.raises(lidr.InputError, match="the prompts' contents: was"):
        lidr.build_pairs(config, shard="1/3", engine=Speaker())


def test_marks_on_the_whole_run_hold_in_its_shards(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(8))
    unmarked = in_shards(tmp_path, 2)
    row = json.loads(unmarked[0]["demo.jsonl"].splitlines()[-1])
    mark = Mark(row["id"], row["language"], seal(row["id"], row["language"], [row["chosen"], row["rejected"]]), "bad")
    for output in ("of2", "whole"):
        (tmp_path / output).mkdir(exist_ok=True)
        add_mark(tmp_path / output / "marks.jsonl", mark)
    with pytest.raises(lidr.InputError, match=r"marks\.jsonl: was"):
        in_shards(tmp_path, 2)
    for path in (tmp_path / "of2/shards").glob("*/shard.json"):
        path.unlink()
    assert in_shards(tmp_path, 2) == whole(tmp_path) != unmarked


def test_prompt_files_are_read_once_for_all_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_prompts(tmp_path, prompts(8))
    read: list[Path] = []
    real = files.source_lines

    def counted(path: Path) -> Any:
        read.append(path)
        return real(path)

    monkeypatch.setattr(files, "source_lines", counted)
    in_shards(tmp_path, 4)
    assert len(read) == len(LANGUAGES)


def split(folder: Path, rows: Sequence[Mapping[str, str]], of: int, name: str) -> None:
    """Prompt files of so many shards, of unequal lengths."""
    edges = [0, *(1 + number * len(rows) // of for number in range(1, of)), len(rows)]
    for number in range(of):
        for code in LANGUAGES:
            lines = [
                json.dumps({"id": f"p{place}", "instruction": rows[place][code]})
                for place in range(edges[number], edges[number + 1])
            ]
            path = folder / name.replace("{language}", code).format(shard=number)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("name", ["{language}/{shard}.jsonl", "{language}-{shard:05}-of-3.jsonl"])
@pytest.mark.parametrize("values", [{}, {"join_on": "row", "skip_prompts": 2, "max_prompts": 8}])
def test_shards_with_prompt_files_of_their_own_read_no_others(
    name: str, values: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split(tmp_path, prompts(11), 3, name)
    given_ = {**values, "prompts": str(tmp_path / name)}
    wanted = whole(tmp_path, **given_)
    read: list[str] = []
    real = files.source_lines
    monkeypatch.setattr(files, "source_lines", lambda path: [read.append(str(path)), real(path)][1])
    assert in_shards(tmp_path, 3, **given_) == wanted
    assert len([path for path in read if "/en" in path]) == 6, "counted once, and read by its shard"
    assert len([path for path in read if "/de" in path]) == 3
    with pytest.raises(lidr.InputError, match="has files for 3 shards"):
        lidr.build_pairs(config_of(tmp_path, "of3", **given_), shard="0/4", engine=Speaker())


def test_the_turn_in_the_dominant_language_goes_on_over_shards(tmp_path: Path) -> None:
    split(tmp_path, prompts(12), 4, "{language}/{shard}.jsonl")
    config = config_of(tmp_path, "run", prompts=str(tmp_path / "{language}/{shard}.jsonl"))
    built = lidr.build_pairs(config, shard="2/4", engine=Speaker())
    assert json.loads((built.run.path / "shard.json").read_bytes())["first"] == 7


def test_a_merge_names_what_is_missing_and_the_command_that_makes_it(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(9))
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url)
        none = lidr("merge", config)
        assert none.returncode == 2
        assert f"lidr build-pairs {config} --shard 0/2" in none.stderr
        for shard in ("0/3", "2/3"):
            done = lidr("build-pairs", config, "max_prompts=8", "--shard", shard)
            assert done.returncode == 0, done.stderr
        (tmp_path / "run/shards/2-of-3/shard.json").unlink()
        done = lidr("merge", config, "max_prompts=8")
        assert done.returncode == 2
        assert "shard 1/3 is missing" in done.stderr
        assert "shard 2/3 is not finished" in done.stderr
        assert f"hint: lidr build-pairs {config} max_prompts=8 --shard 1/3" in done.stderr
        assert not (tmp_path / "run/data").exists()
        for shard in ("1/3", "2/3"):
            assert lidr("build-pairs", config, "max_prompts=8", "--shard", shard).returncode == 0
        other = lidr("merge", config, "max_prompts=8", "dominant_pairs=none")
        assert other.returncode == 2
        assert "shard 0/3: dominant_pairs: was 'one', is 'none'" in other.stderr
        merged = lidr("merge", config, "max_prompts=8")
        assert merged.returncode == 0, merged.stderr
        assert "8 prompts" in merged.stdout


def test_a_merge_refuses_shards_of_two_kinds(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    config = config_of(tmp_path, "run")
    for shard in ("0/1", "0/2", "1/2"):
        lidr.build_pairs(config, shard=shard, engine=Speaker())
    with pytest.raises(lidr.InputError, match="shards of 1 and 2"):
        lidr.merge(config)


def test_a_merge_refuses_shards_of_prompts_that_changed_in_between(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    config = config_of(tmp_path, "run")
    lidr.build_pairs(config, shard="0/2", engine=Speaker())
    write_prompts(tmp_path, prompts(12))
    lidr.build_pairs(config, shard="1/2", engine=Speaker())
    with pytest.raises(lidr.InputError, match="made of other prompts"):
        lidr.merge(config)


@pytest.mark.parametrize("damage", ["cut", "edited", "rubbish"])
def test_a_damaged_shard_is_told_by_file_and_the_run_stays_as_it_was(damage: str, tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(9))
    config = config_of(tmp_path, "run")
    runs = [lidr.build_pairs(config, shard=f"{number}/2", engine=Speaker()).run for number in range(2)]
    path = runs[1].dataset("demo")
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {"cut": lines[:-1], "edited": [*lines, lines[0]], "rubbish": [*lines[:-1], b'{"id": 3}\n']}
    path.write_bytes(b"".join(changed[damage]))
    with pytest.raises(lidr.RunError) as failed:
        lidr.merge(config)
    assert str(path) in failed.value.message
    assert failed.value.hint.startswith("remove it and the shard's shard.json"), "an edited dataset is not replaced"
    assert not (tmp_path / "run/data/demo.jsonl").exists()
    (runs[1].path / "shard.json").unlink()
    path.unlink()
    engine = Speaker()
    lidr.build_pairs(config, shard="1/2", engine=engine)
    assert not engine.seen, "a shard is made again from its store"
    lidr.merge(config)


def test_a_dataset_as_lidr_wrote_it_is_copied_and_an_edited_one_is_read_row_by_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_prompts(tmp_path, prompts(12))
    config = config_of(tmp_path, "run")
    paths = [lidr.build_pairs(config, shard=f"{number}/3", engine=Speaker()).run.dataset("demo") for number in range(3)]
    *rows, last = rows_of(paths[1])
    lines = [dump_line(row) for row in (*rows, {**last, "chosen": f"{last['chosen']} {'x' * 500}"})]
    paths[1].write_bytes(b"".join(lines))
    read: list[Path] = []
    monkeypatch.setattr(merging, "read_lines", lambda path, remedy: [read.append(path), read_lines(path, remedy)][1])
    built = lidr.merge(config)
    assert [path for path in read if path.name == "demo.jsonl"] == [paths[1]]
    merged = built.run.dataset("demo").read_bytes()
    assert merged == paths[0].read_bytes() + b"".join(lines) + paths[2].read_bytes()
    longest = max(
        place for place, rows in enumerate(built.report["lengths"]["texts"]["chosen"][last["language"]]) if rows
    )
    assert longest >= length_bin(500), "it is counted as it is"


@pytest.mark.parametrize("form", ["alpaca", "messages"])
def test_the_merged_dataset_is_there_as_parquet_too(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lidr_plugin.dataset.parquet._ROWS_A_FILE", 10)
    monkeypatch.setattr("lidr_plugin.dataset.parquet._ROWS_A_GROUP", 4)
    write_prompts(tmp_path, prompts(12))
    config = config_of(tmp_path, "run", dataset_format=form)
    for number in range(2):
        lidr.build_pairs(config, shard=f"{number}/2", engine=Speaker())
    for _ in range(2):
        built = lidr.merge(config, parquet=True)
    rows = rows_of(built.run.dataset("demo"))
    paths = sorted(built.run.data.glob("*.parquet"))
    assert [path.name for path in paths] == [f"train-{n:05}-of-{len(paths):05}.parquet" for n in range(len(paths))]
    assert len(paths) == -(-len(rows) // 10)
    assert [row for path in paths for row in pyarrow.parquet.read_table(path).to_pylist()] == rows


@pytest.mark.parametrize("text", ["", "1", "1/", "/2", "2/2", "-1/2", "0/0", "a/b", "1/2/3", "٠/٢", "0 / 2"])
def test_what_names_no_shard_is_refused_and_nothing_is_written(text: str, tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    done = lidr("build-pairs", write_config(tmp_path), f"--shard={text}")
    assert done.returncode == 2
    assert "no shard" in done.stderr
    assert not (tmp_path / "run").exists()


def test_wrong_input_leaves_nothing_of_a_sharded_run(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(3))
    config = write_config(tmp_path)
    assert lidr("build-pairs", config, "--shard", "0/4").returncode == 2
    with (tmp_path / "prompts/de.jsonl").open("a") as file:
        file.write("broken\n")
    done = lidr("build-pairs", config, "--shard", "0/2")
    assert done.returncode == 2
    assert "de.jsonl:4" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_a_shard_shows_its_own_prompts_and_writes_nothing(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(10))
    with running(FakeServer()) as url:
        done = lidr("build-pairs", write_config(tmp_path, engine__base_url=url), "--dry-run", "--shard", "1/2")
    assert done.returncode == 0, done.stderr
    assert "5 prompts" in done.stdout
    assert "boat number 5" in done.stdout
    assert not (tmp_path / "run").exists()
