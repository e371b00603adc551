"""What a round decides by what was measured: which languages it trains on, and whether its model may make data."""

from collections.abc import Callable

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import RunError
from lidr_plugin.evaluation import gate
from lidr_plugin.evaluation.intervals import percent
from lidr_plugin.evaluation.results import LanguageSignal, read_probe
from lidr_plugin.machine.inputs import is_there
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.state import read_state

Say = Callable[[str], None]


def say_signal(top: RunDirectory, number: int, say: Say) -> None:
    """Says when the round has little left to learn from; whether it is trained all the same is the user's choice."""
    found = read_probe(top.round(number).probe_json)
    signal = found.signal
    if signal.kind == "judge":
        what = f"the judge prefers chosen in {percent(signal)} % of the pairs it decides"
    else:
        what = f"in {percent(signal)} % of the candidates the imbalance shows without a judge"
    say(f"round {number}: reward signal: {what}; a round is worth it from {100 * signal.threshold:.0f} % on")
    if signal.worth_it or any(x.verdict == "yes" for x in found.verdicts.values()):
        return
    if signal.kind == "judge":
        say(f"round {number}: the signal is used up: another round is not worth it (Ctrl-C stops here)")
    else:
        say(
            f"round {number}: hardly any of it can be seen: whether another round is worth it, eval.judge or prompts with final "
            "answers would tell (Ctrl-C stops here)"
        )


def refused(config: Config, top: RunDirectory, number: int) -> list[tuple[str, LanguageSignal]]:
    """The languages that a round leaves out, and why: the probe's verdict on them is "no", and nobody forces them."""
    path = top.round(number).probe_json
    if not config.learns_translations or not is_there(path):
        return []
    found = read_probe(path).verdicts.items()
    return [(code, x) for code, x in found if x.verdict == "no" and code not in config.force_languages]


def check_languages(config: Config, top: RunDirectory, number: int, say: Say) -> None:
    """Says which languages a round leaves out, and what would help.

    Raises:
        RunError: none is left.
    """
    left_out = refused(config, top, number)
    for code, found in left_out:
        say(f"round {number}: {code} is left out: {found.why}; what would help: {'; '.join(found.advice)}")
    if left_out:
        say(f"round {number}: force_languages: [{', '.join(code for code, _ in left_out)}] trains on them all the same")
    if left_out and len(left_out) == len(config.languages):
        raise RunError(
            f"round {number}: in no language are pairs worth training on; {top.round(number).probe_json} has the numbers",
            "see what would help above; force_languages goes on all the same",
        )


def check_model(top: RunDirectory, number: int) -> None:
    """Stops the loop before a broken model makes data.

    Raises:
        RunError: it is one; with the numbers, how sure they are, and what to try.
    """
    run = top.round(number)
    found, remedies = gate.problems_in(run.eval_results, f"M{number - 1}", f"M{number}")
    if found:
        state = read_state(run)
        moved = f" (this one moved the log-probabilities by {state.merge.shift:.2g})" if state and state.merge else ""
        listed = "\n".join(f"  {line}" for line in found)
        tries = [f"train more gently: fewer steps or a lower train.learning_rate{moved}", *remedies]
        raise RunError(
            f"round {number}: its model is not fit to make data:\n{listed}",
            "\n".join(f"try: {line}" for line in tries) + f"\nthen remove {run.path} and go on",
        )
