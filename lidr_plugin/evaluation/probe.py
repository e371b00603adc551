"""Measures the imbalance on a sample of the prompts, before anything is trained: the whole of `lidr probe`, as one call."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.budget import answers
from lidr_plugin.completions.client import Client
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.requests import Chat
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.head_to_head import Contest, JudgeModel, Submission
from lidr_plugin.evaluation.identification import Identification
from lidr_plugin.evaluation.judge import Verdict, Verdicts
from lidr_plugin.evaluation.results import Probe, plain
from lidr_plugin.evaluation.signal import (
    RoundTrip,
    SampleTexts,
    comparison_of,
    dominance_of,
    responses_of,
    signal_of,
    whole,
)
from lidr_plugin.methods import translation
from lidr_plugin.methods.base import Outcome, Preference
from lidr_plugin.methods.translation import Translator
from lidr_plugin.prompts.prompt import Prompt


class _Sample(NamedTuple):
    """What the model made of the sample: its pairs, all texts, and by language what went there and back."""

    pairs: list[Preference]
    texts: list[SampleTexts]
    trips: dict[str, list[RoundTrip]]


class _Opinion(NamedTuple):
    """A judge's, by language: verdicts on chosen against rejected, and grades of the answers."""

    verdicts: dict[str, list[Verdict]]
    grades: dict[str, list[int]]


def probe(config: Config, *, sample: int) -> Probe:
    """Asks a sample of the prompts, evenly spread, in every language and translates the answers both ways and back.

    All goes through the run's store: `lidr build-pairs` finds the answers there.

    Raises:
        InputError: something is wrong with the input, or every prompt of the sample asks for a translation.
        RunError: a request failed for good; what was answered is kept.
    """
    # Every pair that the imbalance can give. Prompts that ask for a translation say nothing about the language of an answer.
    wanted = {"method": "imbalance", "dominant_pairs": "all", "translation_prompts": "drop"}
    kept = "every answer is kept; the same command goes on from there"
    with Prepared(config.model_copy(update=wanted)) as ready:
        judge_model = JudgeModel.of(config)
        with ready.run.at_work(kept), Store(ready.run.store) as store:
            found = _measured(ready, asyncio.run(_asked(ready, store, sample)), judge_model, store)
            files.write_json(ready.run.probe_json, plain(found))
    return found


def _measured(ready: Prepared, sample: _Sample, judge_model: JudgeModel | None, store: Store) -> Probe:
    config, texts = ready.config, sample.texts
    if not texts:
        raise InputError("prompts: every prompt of the sample asks for a translation", "sample more: --sample")
    identification = Identification(config.codes)
    verdicts, grades = _opinion(sample, judge_model, store) if judge_model else _Opinion({}, {})
    responses = {
        code: responses_of([x.answers[code] for x in texts], code, identification, grades.get(code, []))
        for code in config.codes
    }
    warning = judge.warning([item for items in verdicts.values() for item in items])
    believed = verdicts if warning is None else {}
    return Probe(
        prompts=len(texts),
        responses=responses,
        against_dominant={
            code: comparison_of(texts, sample.trips.get(code, []), code, config.dominant_language, identification)
            for code in config.languages
        },
        judged={code: Verdicts.of(items) for code, items in verdicts.items()},
        judge_warning=warning,
        dominant=dominance_of(responses, believed=warning is None),
        signal=signal_of(sample.pairs, 2 * len(config.languages) * len(texts), believed, identification),
        notes=identification.notes,
    )


def _spread(ready: Prepared, sample: int) -> list[Prompt]:
    """So many prompts, evenly spread."""
    total = len(ready.prompts)
    wanted = {number * total // min(sample, total) for number in range(min(sample, total))}
    return [prompt for place, prompt in enumerate(ready.prompts) if place in wanted]


async def _asked(ready: Prepared, store: Store, sample: int) -> _Sample:
    meter, config = Meter(), ready.config
    client = Client(store, ready.models, meter)
    try:
        outcomes = await _outcomes(ready, client, meter, _spread(ready, sample))
        texts = [found for outcome in outcomes if (found := SampleTexts.of(outcome, config.dominant_language))]
        there = [(code, x) for x in texts for code in config.languages if whole(x.outward.get(code))]
        came = await answers(client, meter, [_back(ready, x, code) for code, x in there], "back")
    finally:
        await client.close()
    trips: dict[str, list[RoundTrip]] = {}
    for (code, x), answer in zip(there, came, strict=True):
        if answer is not None:
            back = translation.parse_translation(answer, x.outward[code].text, thinking=config.generation.thinking)
            trips.setdefault(code, []).append(RoundTrip(x.answers[config.dominant_language].text, back.text))
    pairs = [row for outcome in outcomes for row in outcome.rows if isinstance(row, Preference)]
    return _Sample(pairs, texts, trips)


async def _outcomes(ready: Prepared, client: Client, meter: Meter, prompts: Sequence[Prompt]) -> list[Outcome]:
    """What the method makes of the prompts."""
    outcomes: list[Outcome] = []
    # Answers and translations both ways for each language, for the bar.
    requests = 3 * len(prompts) * len(ready.config.codes)
    steps = (ready.method.steps(prompt, ready.ask) for prompt in prompts)
    with Display("sample", meter, len(prompts), requests) as display:
        async with kept_up(lambda: display.update(len(outcomes))):
            await run(steps, client, outcomes.append, ready.config.engine.concurrency)
    return outcomes


def _back(ready: Prepared, texts: SampleTexts, code: str) -> Chat:
    dominant = ready.config.dominant_language
    row = f"{texts.id} [{dominant}->{code}->{dominant}]"
    return Translator.of(ready.config).request(texts.outward[code].text, dominant, 0, ready.ask, row)


def _opinion(sample: _Sample, judge_model: JudgeModel, store: Store) -> _Opinion:
    contests = [Contest(x.id, x.language, x.prompt.joined, x.chosen.text, x.rejected.text) for x in sample.pairs]
    answered = [(code, x) for x in sample.texts for code in x.answers]
    submissions = [Submission(x.id, x.prompts[code], x.answers[code].text) for code, x in answered]
    verdicts, grades = judge_model.judge(store, contests, submissions)
    opinion = _Opinion({}, {})
    for contest, verdict in zip(contests, verdicts, strict=True):
        if verdict is not None:
            opinion.verdicts.setdefault(contest.language, []).append(verdict)
    for (code, _), grade in zip(answered, grades, strict=True):
        if grade is not None:
            opinion.grades.setdefault(code, []).append(grade)
    return opinion
