"""What a run shows while it works, and while nothing comes."""

import pytest

from lidr_plugin.completions import progress
from lidr_plugin.completions.progress import Display, Meter, Silence


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(progress, "time", found)
    return found


def lines_of(silence: Silence, clock: Clock, seconds: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is said in so many seconds, in which it is looked at five times each."""
    for _ in range(seconds * 5):
        clock.now += 0.2
        silence.look()
    return capsys.readouterr().err.splitlines()


def test_silence_is_told_more_and_more_rarely(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter()
    silence = Silence(meter)
    with meter.asking(), meter.asking():
        said = lines_of(silence, clock, 1000, capsys)
    assert [line.split(" s ")[0] for line in said] == [f"no answer for {n}" for n in (60, 120, 240, 480, 960)]
    assert all(line.endswith("(2 waiting)") for line in said)


def test_an_answer_ends_it_and_the_next_silence_begins_anew(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter()
    silence = Silence(meter)
    with meter.asking():
        assert len(lines_of(silence, clock, 200, capsys)) == 2
        with meter.asking():
            assert len(lines_of(silence, clock, 30, capsys)) == 0
        assert len(lines_of(silence, clock, 59, capsys)) == 0
        assert lines_of(silence, clock, 2, capsys) == ["no answer for 60 s (1 waiting)"]


def test_there_is_no_silence_where_nothing_was_asked_or_an_engine_is_being_started(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = Meter()
    silence = Silence(meter)
    assert not lines_of(silence, clock, 500, capsys)
    meter.opening = 1
    with meter.asking():
        assert not lines_of(silence, clock, 500, capsys)


def test_what_a_server_wrote_last_is_told_with_it(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter(logs=[lambda: "Running: 32 reqs", lambda: ""])
    with meter.asking():
        (said,) = lines_of(Silence(meter), clock, 61, capsys)
    assert said == "no answer for 60 s (1 waiting); the server's log says: Running: 32 reqs"


def test_scores_are_shown_beside_completions_and_move_the_bar(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    meter = Meter()
    display = Display("rows", meter, prompts=10, requests=20)
    clock.now += 31
    meter.generated, meter.scores.generated, meter.scores.reused, meter.scores.failed = 2, 3, 5, 1
    display.update(1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rows: 1/10, 2 generated, 0 reused, 0 failed, 9 scores (5 reused, 1 failed), about ")
