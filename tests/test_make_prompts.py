"""`lidr make-prompts`: from seeds to prompt files in every language."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import lidr_plugin as lidr
from lidr_plugin.completions.requests import Chat, Completion
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.methods.prompt_making import TEMPLATES, prompt_in
from tests.conftest import Lidr, rows_of, write_config
from tests.support.fake import Fake
from tests.support.model import WORDS, digest

NAMES = {"English": "en", "German": "de", "Spanish": "es"}
PLACES = "Bergen Lima Mombasa Quito Turin Oslo Cairo Hanoi Delhi Perth Porto Split Accra Dakar Kyoto Leeds".split()


def asked_for(request: Chat) -> str:
    """A prompt that depends on the request; one in eight is German, one in nine cut, one in ten has no tag."""
    seed = digest(f"{request.messages[-1].content} {request.sample}")
    stock = WORDS["de" if seed % 8 == 0 else "en"].split()
    words = [stock[(seed >> 3 * place) % len(stock)] for place in range(14)]
    return f"Ask {PLACES[seed % 16]} why {' '.join(words)}?\n</prompt>"


def answered(request: Chat) -> Completion | None:
    words = request.messages[-1].content
    if target := re.search(r"into (\w+)\.", words):
        seed = digest(words)
        stock = WORDS[NAMES[target[1]]].split()
        text = " ".join(stock[(seed >> 3 * place) % len(stock)] for place in range(14)) + "?\n</translated>"
        return Completion(text, "stop", 1, 1, True)
    text = asked_for(request)
    seed = digest(text)
    if seed % 10 == 0:
        return Completion("Sure! What would you like to know about boats?", "stop", 1, 1, False)
    return Completion(text[: 30 if seed % 9 == 0 else None], "length" if seed % 9 == 0 else "stop", 1, 1, True)


class Writer(Fake):
    """A model that writes prompts."""

    identity = "writer"

    def __init__(self) -> None:
        super().__init__(answered)


class Once(Writer):
    """One that cannot be opened again, as a model in this process cannot."""

    async def __aenter__(self) -> "Once":
        assert not self.opened
        await super().__aenter__()
        return self


def config_of(folder: Path, **values: Any) -> lidr.Config:
    made = {"count": 60, **values.pop("make_prompts", {})}
    wanted = {
        "model_name_or_path": "fake",
        "template": "qwen",
        "languages": ["de", "es"],
        "prompts": str(folder / "prompts/{language}.jsonl"),
        "output_dir": str(folder / "run"),
        "filters": {"fidelity": False},  # the fake model's translations are made up
        "make_prompts": made,
    }
    return lidr.configure(**{**wanted, **values})


def files_in(folder: Path) -> dict[str, bytes]:
    paths = [*(folder / "prompts").iterdir(), folder / "run/make_prompts.rejected.jsonl"]
    return {path.name: path.read_bytes() for path in sorted(paths)}


def test_prompts_are_made_in_every_language_each_with_where_it_comes_from(tmp_path: Path) -> None:
    engine = Once()
    made = lidr.make_prompts(config_of(tmp_path), engine=engine)
    english, german = (rows_of(made.files[code]) for code in ("en", "de"))
    assert 20 < len(english) == made.report["prompts"] == len(german) == len(rows_of(made.files["es"]))
    for row, other in zip(english, german, strict=True):
        assert row["id"] == other["id"]
        assert re.fullmatch("made-[0-9a-f]{12}", row["id"])
        assert row["instruction"].startswith("Ask ")
        assert (row["source"], other["source"]) == ("made:en", "translation:en->de")
        assert row["made_from"] == other["made_from"]
        assert row["model"] == "writer"
    assert len({row["made_from"][0] for row in english}) == len(english), "sixty personas for sixty prompts"


def test_what_is_no_prompt_or_in_another_language_or_alike_is_counted_and_kept_aside(tmp_path: Path) -> None:
    made = lidr.make_prompts(config_of(tmp_path, make_prompts={"count": 90, "similarity": 0.5}), engine=Writer())
    rejected = made.report["rejected"]
    assert {"no_prompt", "truncated", "off_target"} <= set(rejected)
    assert made.report["prompts"] + sum(sum(x.values()) for x in rejected.values()) == 90
    rows = rows_of(made.rejected)
    assert len(rows) == 90 - made.report["prompts"]
    assert all(row["reason"] in made.report["reasons"] for row in rows)


def test_one_that_is_like_an_earlier_one_or_a_seed_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "seeds.jsonl").write_text(
        "".join(json.dumps({"instruction": f"Tell me how {word} bread is baked at home."}) + "\n" for word in PLACES)
    )

    class Copying(Fake):
        identity = "copying"

    def copy(request: Chat) -> Completion:
        words = request.messages[-1].content
        if "into German" in words:
            return Completion(
                "Warum fahren die Boote so langsam über den Fluss zum Hafen?</translated>", "stop", 1, 1, True
            )
        shown = re.findall(r"<prompt>\n(.*?)\n</prompt>", words)
        text = shown[0] if request.sample % 2 else "Why do the boats on the river go so slowly to the harbour?"
        return Completion(f"{text}</prompt>", "stop", 1, 1, True)

    config = config_of(
        tmp_path,
        languages=["de"],
        make_prompts={"seeds": "prompts", "file": str(tmp_path / "seeds.jsonl"), "count": 6, "shots": 3},
    )
    engine = Copying(copy)
    made = lidr.make_prompts(config, engine=engine)
    assert made.report["prompts"] == 1
    assert made.report["rejected"] == {"alike": {"en": 5}}
    shown = [re.findall(r"<prompt>\n(.*?)\n</prompt>", request.messages[-1].content) for request in engine.seen[:6]]
    assert all(len(set(each)) == 3 for each in shown)
    assert len({tuple(each) for each in shown}) > 3, "each request has examples of its own"


def test_the_same_store_gives_the_same_files_and_a_larger_count_asks_for_the_rest_alone(tmp_path: Path) -> None:
    lidr.make_prompts(config_of(tmp_path), engine=Writer())
    before, again = files_in(tmp_path), Writer()
    lidr.make_prompts(config_of(tmp_path), engine=again)
    assert files_in(tmp_path) == before
    assert not again.seen
    more = Writer()
    lidr.make_prompts(config_of(tmp_path, make_prompts={"count": 70}), engine=more)
    assert len([request for request in more.seen if "into " not in request.messages[-1].content]) == 10
    assert (tmp_path / "prompts/en.jsonl").read_bytes().startswith(before["en.jsonl"])


def test_a_run_that_was_cut_off_goes_on_and_comes_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    lidr.make_prompts(config_of(tmp_path / "whole"), engine=Writer())

    class Dying(Writer):
        async def complete(self, request: Chat) -> Completion:
            if len(self.seen) >= 70:
                raise RunError("the power went")
            return await super().complete(request)

    (tmp_path / "cut").mkdir()
    dying, second = Dying(), Writer()
    with pytest.raises(RunError, match="the power went"):
        lidr.make_prompts(config_of(tmp_path / "cut", engine={"concurrency": 1}), engine=dying)
    assert not (tmp_path / "cut/prompts").exists() or not list((tmp_path / "cut/prompts").glob("*.jsonl"))
    lidr.make_prompts(config_of(tmp_path / "cut"), engine=second)
    assert files_in(tmp_path / "cut") == files_in(tmp_path / "whole")
    assert not {request._replace(row="") for request in dying.seen} & {x._replace(row="") for x in second.seen}


@pytest.mark.parametrize("touched", ["foreign", "edited"])
def test_a_file_that_is_not_as_lidr_wrote_it_is_never_replaced(touched: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts/de.jsonl"
    if touched == "edited":
        lidr.make_prompts(config_of(tmp_path), engine=Writer())
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as file:
        file.write('{"id": "1", "instruction": "Mein eigener Prompt"}\n')
    before = path.read_bytes()
    engine = Writer()
    with pytest.raises(InputError, match="not as lidr wrote it"):
        lidr.make_prompts(config_of(tmp_path, make_prompts={"count": 80}), engine=engine)
    assert path.read_bytes() == before
    assert not engine.seen


def test_what_is_made_is_built_from(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    made = lidr.make_prompts(config, engine=Writer())
    built = lidr.build_pairs(config, engine=Writer())
    assert built.report["prompts"] == made.report["prompts"]


def test_a_model_that_writes_none_ends_with_everything_that_it_wrote(tmp_path: Path) -> None:
    class Mute(Fake):
        identity = "mute"

    engine = Mute(lambda request: Completion("As an AI I have no wishes.", "stop", 1, 1, False))
    with pytest.raises(RunError, match="no prompt was kept"):
        lidr.make_prompts(config_of(tmp_path), engine=engine)
    assert not list(tmp_path.glob("prompts/*"))
    assert {row["reason"] for row in rows_of(tmp_path / "run/make_prompts.rejected.jsonl")} == {"no_prompt"}


@pytest.mark.parametrize(
    ("text", "prefilled", "found"),
    [
        ("Why?\n</prompt>", True, "Why?"),
        ("Why?", True, "Why?"),
        ("Sure: <prompt>\nWhy?\n</prompt> Good luck!", False, "Why?"),
        ("<think>Hm, <prompt>no</prompt></think><prompt>Why?</prompt>", False, "Why?"),
        ("<prompt>One</prompt>\n<prompt>Two</prompt>", False, "One"),
        ("Why?</prompt>", False, "Why?"),
        ("Why?", False, None),
        ("…</prompt>", True, None),
        ("", True, None),
    ],
)
def test_a_prompt_is_what_stands_between_the_tags(text: str, prefilled: bool, found: str | None) -> None:
    read = prompt_in(Completion(text, "stop", 1, 1, prefilled), thinking=False)
    assert (None if read.failed else read.text) == found


def test_a_prompt_that_is_cut_is_none_even_where_it_could_be_whole() -> None:
    assert prompt_in(Completion("Why do the", "length", 1, 1, True), thinking=False).cut
    assert not prompt_in(Completion("Why?</prompt> And so", "length", 1, 1, True), thinking=False).cut


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"make_prompts": {"seeds": "topics"}}, "needs a file of topics"),
        ({"make_prompts": {"temperature": 0}}, "make_prompts.temperature"),
        ({"make_prompts": {"template": "Write."}}, "{seed}"),
        ({"make_prompts": {"file": "nowhere.txt"}}, "nowhere.txt"),
        ({"prompts": "p/{language}.csv"}, "one file for each language"),
        ({"prompts": "p/{language}-{shard}.jsonl"}, "one file for each language"),
        ({"prompts": "hf://datasets/a/b/{language}.jsonl"}, "one file for each language"),
    ],
)
def test_wrong_settings_are_told_before_anything_is_asked(
    values: dict[str, Any], problem: str, tmp_path: Path, lidr: Lidr
) -> None:
    done = lidr("make-prompts", write_config(tmp_path, **values))
    assert done.returncode == 2
    assert problem in done.stderr
    assert not (tmp_path / "run").exists()


def test_the_dry_run_shows_a_request_of_each_kind_and_writes_nothing(tmp_path: Path, lidr: Lidr) -> None:
    (tmp_path / "topics.txt").write_text("wells\n\nbees\n")
    config = write_config(tmp_path, make_prompts={"seeds": "topics", "file": "topics.txt", "count": 10}, task="math")
    done = lidr("make-prompts", config, "--dry-run")
    assert "10 prompts; at most 40 requests" in done.stdout
    assert "Here is a topic:\nwells" in done.stdout
    assert "a word problem whose answer is one number" in done.stdout
    assert "[assistant, begun]\n<prompt>" in done.stdout
    assert "into German" in done.stdout
    assert not (tmp_path / "run").exists()


def test_every_wording_has_its_places() -> None:
    for template in TEMPLATES.values():
        assert template.replace("{seed}", "").replace("{kind}", "").replace("{language}", "").count("{") == 0


def test_the_personas_that_come_with_lidr_are_sixty_and_each_is_one_of_a_kind() -> None:
    from lidr_plugin.prompts.seeds import seeds_of
    from lidr_plugin.text.alike import Alike

    seeds, known = (
        seeds_of(lidr.configure(model_name_or_path="m", languages=["de"], prompts="{language}.jsonl")),
        Alike(0.5),
    )
    assert len(seeds) == 60
    assert all(known.earlier(seed) is None for seed in seeds)
