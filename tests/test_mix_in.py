"""Prompts of other skills beside those of a run: `mix_in`."""

import json
from pathlib import Path
from typing import Any

import pytest

from lidr_plugin.config.file import load
from lidr_plugin.dataset.prepare import prompts_of
from lidr_plugin.errors import InputError
from lidr_plugin.rounds.iterate import _check_prompts, _stages
from lidr_plugin.run_directory import RunDirectory
from tests.conftest import LANGUAGES, Lidr, prompts, rows_of, write_config, write_prompts
from tests.support.server import FakeServer, running


def write_skill(folder: Path, count: int, name: str = "skills", **extra: Any) -> None:
    (folder / name).mkdir()
    for code in LANGUAGES:
        rows = [
            {"id": str(i), "instruction": f"[{code}] Sort these {i + 3} words: pear, fig.", **extra}
            for i in range(count)
        ]
        (folder / name / f"{code}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def ids_of(config: Path, *overrides: str) -> list[str]:
    with prompts_of(load(config, list(overrides))) as found:
        return [prompt.id for prompt in found]


def entry(share: float = 0.2, **others: Any) -> dict[str, Any]:
    return {"prompts": "skills/{language}.jsonl", "share": share, **others}


def test_a_round_with_too_few_prompts_of_its_own_is_told_whatever_is_mixed_in(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(8))
    write_skill(tmp_path, 40)
    config, said = load(write_config(tmp_path, mix_in=[entry(0.8)], max_prompts=6, rounds=2), []), list[str]()
    _check_prompts(_stages(config, RunDirectory(tmp_path / "run"), until="eval", only=None), {}, said.append)
    assert said == ["warning: round 2 has 2 prompts, not the 6 of max_prompts"]


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.5, 8), (0.01, 0)])
def test_a_share_is_of_all_prompts_of_the_run_and_taken_from_the_beginning(
    tmp_path: Path, share: float, count: int
) -> None:
    write_prompts(tmp_path, prompts(8))
    write_skill(tmp_path, 20)
    config = write_config(tmp_path, mix_in=[entry(share)])
    assert ids_of(config) == [*map(str, range(8)), *(f"mix1:{i}" for i in range(count))]
    assert len(ids_of(config, "max_prompts=4")) == 4 + {0.2: 1, 0.5: 4, 0.01: 0}[share]


def test_two_skills_have_their_shares_and_names(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(6))
    write_skill(tmp_path, 20)
    write_skill(tmp_path, 20, "other")
    mixed = [entry(0.2, name="sorting", skip_prompts=5), {"prompts": "other/{language}.jsonl", "share": 0.2}]
    assert ids_of(write_config(tmp_path, mix_in=mixed))[6:] == ["sorting:5", "sorting:6", "mix2:0", "mix2:1"]


def test_rows_are_made_of_them_as_they_are_with_the_skill_in_their_ids_and_counted(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(12), final_answer="3")
    write_skill(tmp_path, 20, final_answer="fig, pear")
    server = FakeServer()
    with running(server) as url:
        config = write_config(tmp_path, engine__base_url=url, task="math", mix_in=[entry(0.25)])
        done = lidr("build-pairs", config)
        assert done.returncode == 0, done.stderr
        first = (tmp_path / "run/data/demo.jsonl").read_bytes()
        assert lidr("build-pairs", config).returncode == 0
        lidr("build-pairs", config, "answer_filter=chosen_correct")
    assert (tmp_path / "run/data/demo.jsonl").read_bytes() == first
    rows = rows_of(tmp_path / "run/data/demo.jsonl")
    own = [row for row in rows if row["id"].startswith("mix1:")]
    assert {row["language"] for row in own} == set(LANGUAGES)
    assert all("Sort these" in row["instruction"] for row in own)
    for row in rows:
        assert ("Reason step by step" in row["instruction"]) is (row not in own)
    report = json.loads((tmp_path / "run/report.json").read_text())
    counted = {code: sum(row["language"] == code for row in own) for code in LANGUAGES}
    assert report["mix_in"] == {"mix1": {"pairs": counted}}
    assert report["prompts"] == 16
    assert f"of these, mix1: {len(own)} pairs" in done.stdout


def test_the_prompts_of_shards_have_them_at_the_end_and_merge_to_the_same_bytes(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(6))
    write_skill(tmp_path, 20)
    with running(FakeServer()) as url:
        config = write_config(tmp_path, engine__base_url=url, mix_in=[entry(0.25)])
        assert lidr("build-pairs", config).returncode == 0
        whole = (tmp_path / "run/data/demo.jsonl").read_bytes()
        report = json.loads((tmp_path / "run/report.json").read_text())
        place = f"output_dir={tmp_path}/sharded"
        for number in (0, 1):
            done = lidr("build-pairs", config, place, "--shard", f"{number}/2")
            assert done.returncode == 0, done.stderr
        assert lidr("merge", config, place).returncode == 0
    assert (tmp_path / "sharded/data/demo.jsonl").read_bytes() == whole
    assert json.loads((tmp_path / "sharded/report.json").read_text())["mix_in"] == report["mix_in"]


def test_each_round_takes_the_next_of_them(tmp_path: Path) -> None:
    write_prompts(tmp_path, prompts(12))
    write_skill(tmp_path, 20)
    config = load(write_config(tmp_path, max_prompts=4, rounds=3, mix_in=[entry(0.5)]), [])
    found = []
    for stage in _stages(config, RunDirectory(tmp_path / "run"), until="train", only=None):
        if stage.name == "train":
            with prompts_of(stage.config) as each:
                found.append([prompt.id for prompt in each])
    assert found == [
        [*(str(i) for i in range(start, start + 4)), *(f"mix1:{i}" for i in range(start, start + 4))]
        for start in (0, 4, 8)
    ]


def test_rounds_without_a_number_of_prompts_need_files_of_their_own(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4))
    write_skill(tmp_path, 4)
    done = lidr("iterate", write_config(tmp_path, prompts="prompts{round}/{language}.jsonl", mix_in=[entry()]))
    assert done.returncode == 2
    assert "mix_in: mix1: each round needs new prompts" in done.stderr


@pytest.mark.parametrize(
    ("mixed", "says"),
    [
        ([entry(1.0)], "mix_in.0.share: "),
        ([entry(0.5), entry(0.5)], "the shares come to 1 or more"),
        ([entry(name="a"), entry(name="a")], "the name a is there more than once"),
        ([{"prompts": "skills.jsonl", "share": 0.1}], "needs {language}"),
        ([{"prompt": "skills/{language}.jsonl", "share": 0.1}], "unknown key; did you mean"),
        ([entry(name="a/b")], "mix_in.0.name"),
        ([{"prompts": "nowhere/{language}.jsonl", "share": 0.1}], "mix_in: mix1: "),
        ([entry(skip_prompts=30)], "no prompt is left"),
        ([entry(0.6)], "mix_in: mix1: its share is 6 prompts, and after 0 its files have 4"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(
    tmp_path: Path, lidr: Lidr, mixed: list[dict[str, Any]], says: str
) -> None:
    write_prompts(tmp_path, prompts(4))
    write_skill(tmp_path, 4)
    done = lidr("build-pairs", write_config(tmp_path, mix_in=mixed))
    assert done.returncode == 2
    assert says in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_id_of_the_run_that_looks_like_one_of_these_is_refused(tmp_path: Path) -> None:
    write_skill(tmp_path, 4)
    write_prompts(tmp_path, prompts(4))
    for code in LANGUAGES:
        path = tmp_path / f"prompts/{code}.jsonl"
        path.write_text(path.read_text().replace('"id": "2"', '"id": "mix1:0"'))
    with pytest.raises(InputError, match=r"prompts/en\.jsonl:3: id 'mix1:0' looks like one of mix_in: mix1"):
        prompts_of(load(write_config(tmp_path, mix_in=[entry()]), []))


def test_a_mixed_in_prompt_without_a_final_answer_is_told_where_one_is_needed(tmp_path: Path, lidr: Lidr) -> None:
    write_prompts(tmp_path, prompts(4), final_answer="3")
    write_skill(tmp_path, 4, final_answer="fig, pear")
    config = write_config(tmp_path, task="math", answer_filter="chosen_correct", mix_in=[entry()])
    done = lidr("build-pairs", config)
    assert done.returncode == 2
    assert "skills/en.jsonl:1: the final answer of prompt 'mix1:0' is no number" in done.stderr
