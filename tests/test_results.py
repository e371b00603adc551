"""The results of `lidr eval` and `lidr probe` as records: what 0.1 wrote is read, what is damaged is named."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from lidr_plugin import files
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.intervals import Estimate, Mean, Share
from lidr_plugin.evaluation.results import plain, read_probe, read_results

GOLDEN = Path(__file__).parent / "golden/evaluation"


def test_what_0_1_wrote_is_read_and_written_again_byte_for_byte(tmp_path: Path) -> None:
    for name, read in (
        ("results.json", read_results),
        ("probe-judged.json", read_probe),
        ("probe-visible.json", read_probe),
    ):
        files.write_json(tmp_path / name, plain(read(GOLDEN / name)))
        assert (tmp_path / name).read_bytes() == (GOLDEN / name).read_bytes()


def test_the_values_are_shares_means_estimates_and_numbers() -> None:
    found = read_results(GOLDEN / "results.json")
    marks = found.results["M1"]["prompts"]["de"]
    assert marks["cut"] == Share(0, 20)
    assert marks["repeated"] == Mean(0.0, 0.0)
    assert marks["characters"] == 20.5
    assert found.results["M1"]["lm_eval"]["belebele_deu_Latn"] == {"acc": Estimate(0.375, 0.02)}
    assert found.head_to_head is not None
    assert found.head_to_head.results["M1"]["de"].win == Share(12, 20)
    signal = read_probe(GOLDEN / "probe-visible.json").signal
    assert (signal.kind, signal.share, signal.threshold, signal.worth_it) == ("visible", 10 / 120, 0.02, True)


def damaged(name: str, value: Any, *place: str) -> bytes:
    """A file of 0.1 with another value at a place."""
    found = orjson.loads((GOLDEN / name).read_bytes())
    *above, last = place
    below = found
    for key in above:
        below = below[key]
    below[last] = value
    return orjson.dumps(found)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"models": {"M0"', "1: not valid JSON"),
        (b"[]", " damaged: "),
        (b'{"models": {}, "weights": {}}', " damaged at results: Field required"),
        (damaged("results.json", [], "head_to_head", "results"), " damaged at head_to_head.results"),
        (damaged("results.json", "none", "results", "M0", "mgsm", "de", "cut"), " damaged at results.M0.mgsm.de.cut"),
        (
            damaged("results.json", {"hits": 1}, "results", "M0", "mgsm", "de", "cut"),
            " damaged at results.M0.mgsm.de.cut",
        ),
    ],
)
def test_a_damaged_results_json_is_named_with_its_place_and_the_remedy(
    content: bytes, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_results(file)
    assert caught.value.message.startswith(f"{file}:{says}")
    assert "`lidr eval` writes it anew" in caught.value.hint


def test_a_damaged_or_absent_probe_json_is_named_with_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "probe.json"
    file.write_bytes(damaged("probe-judged.json", {"kind": "judge"}, "signal"))
    with pytest.raises(InputError, match=r"probe.json: damaged at signal.hits: Field required") as caught:
        read_probe(file)
    assert "`lidr probe` writes it anew" in caught.value.hint
    file.unlink()
    with pytest.raises(InputError, match=r"probe.json: no such file"):
        read_probe(file)
