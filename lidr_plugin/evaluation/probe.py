"""Measures the imbalance on a sample of the prompts, before anything is trained: the whole of `lidr probe`, as one call."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lidr_plugin import files
from lidr_plugin.completions.answers import answers
from lidr_plugin.completions.client import Client
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.requests import Chat
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation import judge
from lidr_plugin.evaluation.head_to_head import Bench, Graded, Pair
from lidr_plugin.evaluation.imbalance import Heard, crossing_of, dominant_of, responses_of, signal_of, whole
from lidr_plugin.evaluation.intervals import shares
from lidr_plugin.methods import translation
from lidr_plugin.methods.base import Outcome, Preference
from lidr_plugin.methods.translation import Translator
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import LanguageGate


@dataclass(frozen=True, slots=True)
class Probed:
    """What a sample says; `found` is the content of `probe.json`."""

    run: RunDirectory
    found: dict[str, Any]


def probe(config: Config, *, sample: int) -> Probed:
    """Asks a sample of the prompts, evenly spread, in every language and translates the answers both ways and back.

    All goes through the run's store: `lidr build-pairs` finds the answers there.

    Raises:
        InputError: something is wrong with the input, or every prompt of the sample asks for a translation.
        RunError: a request failed for good; what was answered is kept.
    """
    kept = "every answer is kept; the same command goes on from there"
    # Every pair that the imbalance can give. Prompts that ask for a translation say nothing about the language of an answer.
    wanted = {"method": "imbalance", "dominant_pairs": "all", "translation_prompts": "drop"}
    with Prepared(config.model_copy(update=wanted)) as ready, ready.run.at_work(kept), Store(ready.run.store) as store:
        found = _measure(ready, store, sample)
        files.write_json(ready.run.probe_json, found)
        return Probed(ready.run, found)


def _measure(ready: Prepared, store: Store, sample: int) -> dict[str, Any]:
    config, settled = ready.config, list[Outcome]()
    heard, backs = asyncio.run(_hear(ready, store, sample, settled))
    if not heard:
        raise InputError("prompts: every prompt of the sample asks for a translation", "sample more: --sample")
    codes = [config.dominant_language, *config.languages]
    gate = LanguageGate(codes)
    pairs = [row for item in settled for row in item.rows if isinstance(row, Preference)]
    judged, grades = _judged(ready, store, pairs, heard)
    responses = {
        code: responses_of([x.answers[code] for x in heard], code, gate, grades.get(code, [])) for code in codes
    }
    crossings = {
        code: crossing_of(heard, backs.get(code, []), code, config.dominant_language, gate) for code in config.languages
    }
    warning = judge.warning([item for items in judged.values() for item in items])
    return {
        "prompts": len(heard),
        "responses": {code: shares(value) for code, value in responses.items()},
        "against_dominant": {code: shares(value) for code, value in crossings.items()},
        "judged": {code: shares(judge.outcome(items)) for code, items in judged.items()},
        "judge_warning": warning,
        "dominant": dominant_of(responses, believed=warning is None),
        "signal": signal_of(pairs, 2 * len(config.languages) * len(heard), judged if warning is None else {}, gate),
    }


def _sample(ready: Prepared, sample: int) -> list[Prompt]:
    """Prompts, evenly spread."""
    total = len(ready.prompts)
    wanted = {number * total // min(sample, total) for number in range(min(sample, total))}
    return [prompt for place, prompt in enumerate(ready.prompts) if place in wanted]


async def _hear(
    ready: Prepared, store: Store, sample: int, settled: list[Outcome]
) -> tuple[list[Heard], dict[str, list[tuple[str, str]]]]:
    """All texts of the sample; and by language the dominant answers beside what came back of them."""
    meter, config = Meter(), ready.config
    generator = Client(store, ready.models, meter)
    prompts = _sample(ready, sample)
    requests = 3 * len(prompts) * (1 + len(config.languages))
    steps = (ready.method.steps(prompt, ready.ask) for prompt in prompts)
    try:
        with Display("sample", meter, len(prompts), requests) as display:
            async with kept_up(lambda: display.update(len(settled))):
                await run(steps, generator, settled.append, config.engine.concurrency)
        heard = [texts for item in settled if (texts := _texts(item, config.dominant_language))]
        there = [(code, x) for x in heard for code in config.languages if whole(x.outward.get(code))]
        came = await answers(generator, meter, [_back(ready, x, code) for code, x in there], "back")
    finally:
        await generator.close()
    backs: dict[str, list[tuple[str, str]]] = {}
    for (code, x), answer in zip(there, came, strict=True):
        if answer is not None:
            text = translation.parse_translation(answer, x.outward[code].text, thinking=config.generation.thinking).text
            backs.setdefault(code, []).append((x.answers[config.dominant_language].text, text))
    return heard, backs


def _texts(settled: Outcome, dominant: str) -> Heard | None:
    """What a prompt's candidates hold; None if it was dropped or a request failed."""
    heard = Heard("", {}, {}, {}, {})
    for item in _preferences(settled):
        other = item.rejected_source.removeprefix("translation:").partition("->")[0]
        if item.language == dominant:
            heard.inward[other] = item.rejected
        else:
            heard.outward[item.language] = item.chosen
            heard.answers[item.language] = item.rejected
        heard.answers[dominant] = item.source
        heard.prompts[item.language] = item.prompt.joined
        heard = heard._replace(id=item.id)
    return heard if heard.prompts.get(dominant) and not any(x.failed for x in heard.answers.values()) else None


def _preferences(settled: Outcome) -> list[Preference]:
    """A prompt's candidates, whether they became pairs or not."""
    rows = (*settled.rows, *(drop.row for drop in settled.drops))
    return [row for row in rows if isinstance(row, Preference)]


def _back(ready: Prepared, heard: Heard, code: str) -> Chat:
    dominant = ready.config.dominant_language
    row = f"{heard.id} [{dominant}->{code}->{dominant}]"
    return Translator.of(ready.config).request(heard.outward[code].text, dominant, 0, ready.ask, row)


def _judged(
    ready: Prepared, store: Store, pairs: Sequence[Preference], heard: Sequence[Heard]
) -> tuple[dict[str, list[judge.Judged]], dict[str, list[int]]]:
    """By language the verdicts on chosen against rejected, and the grades of the answers; none without a judge."""
    if ready.config.eval.judge is None:
        return {}, {}
    bench = Bench(ready.config, ready.config.eval.judge, ready.run, store)
    contests = [Pair(x.id, x.language, x.prompt.joined, x.chosen.text, x.rejected.text) for x in pairs]
    texts = [(code, Graded(x.id, x.prompts[code], x.answers[code].text)) for x in heard for code in x.answers]
    verdicts, marks = asyncio.run(bench.work(contests, [text for _, text in texts]))
    judged: dict[str, list[judge.Judged]] = {}
    for contest, verdict in zip(contests, verdicts, strict=True):
        if verdict is not None:
            judged.setdefault(contest.language, []).append(verdict)
    grades: dict[str, list[int]] = {}
    for (code, _), mark in zip(texts, marks, strict=True):
        if mark is not None:
            grades.setdefault(code, []).append(mark)
    return judged, grades
