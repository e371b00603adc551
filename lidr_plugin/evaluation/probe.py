"""Measures the imbalance on a sample of the prompts, before anything is trained: the whole of `lidr probe`, as one call."""

from dataclasses import replace
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.client import Client
from lidr_plugin.completions.engines.base import scores_of
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.requests import Failure
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.steps import Answer, Steps, both, together
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.parity import compared
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.evaluation.benefit import whole
from lidr_plugin.evaluation.intervals import grouped
from lidr_plugin.evaluation.judge import Contest, JudgeModel, Submission, Verdicts, warning
from lidr_plugin.evaluation.mexa import Vectors, alignments, embeddings, layers_for
from lidr_plugin.evaluation.results import Probe, plain
from lidr_plugin.evaluation.signal import Measurement, SampleTexts, dominance_of, spread, way_back
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import POLICY
from lidr_plugin.methods.judging import Verdict
from lidr_plugin.methods.translation import Translator
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.text.language import Identification


class _Sampled(NamedTuple):
    """What came of a prompt of the sample: None if it says nothing about the imbalance; and its embeddings, if they are wanted."""

    texts: SampleTexts | None
    vectors: Vectors


class _Opinion(NamedTuple):
    """A judge's, by language: verdicts on chosen against rejected, and grades of the answers."""

    verdicts: dict[str, list[Verdict]]
    grades: dict[str, list[float]]


def probe(config: Config, *, sample: int, mexa: bool = False) -> Probe:
    """Asks a sample of the prompts, evenly spread, in every language and translates the answers both ways and back.

    All goes through the run's store: `lidr build-pairs` finds the answers there.

    Args:
        mexa: looks at how the model represents the prompts, too.

    Raises:
        InputError: something is wrong with the input, every prompt of the sample asks for a translation, or the engine has no
            hidden layers for `mexa`.
        RunError: a request failed for good; what was answered is kept.
    """
    # Every pair that the imbalance can give. Prompts that ask for a translation say nothing about the language of an answer.
    wanted = {"method": "imbalance", "dominant_pairs": "all", "translation_prompts": "drop"}
    kept = "every answer is kept; the same command goes on from there"
    with Prepared(config.model_copy(update=wanted)) as ready:
        judge = JudgeModel(config) if config.eval.judge else None
        layers = _layers(ready) if mexa else ()
        with ready.run.at_work(kept), Store(ready.run.store) as store:
            sampled = interrupts.run(_asked(ready, store, sample, layers))
            texts = [x.texts for x in sampled if x.texts]
            if not texts:
                raise InputError("prompts: every prompt of the sample asks for a translation", "sample more: --sample")
            found = _measured(config, texts, _opinion(judge, store, texts) if judge else _Opinion({}, {}))
            alike = alignments([x.vectors for x in sampled], config.dominant_language, config.languages)
            found = replace(found, mexa=alike)
            files.write_json(ready.run.probe_json, plain(found))
    return found


def _layers(ready: Prepared) -> tuple[int, ...]:
    if "layer" not in scores_of(ready.roles[POLICY].engine):
        raise InputError(
            "--mexa: the engine gives no hidden layers; that of the backend transformers does",
            "engine.backend=transformers, or leave --mexa out",
        )
    return layers_for(ready.config)


async def _asked(ready: Prepared, store: Store, sample: int, layers: tuple[int, ...]) -> list[_Sampled]:
    total, meter = len(ready.prompts), Meter()
    wanted = spread(sample, total)
    steps = (_steps(ready, prompt, layers) for place, prompt in enumerate(ready.prompts) if place in wanted)
    # Answers, translations both ways and the way back, for the bar.
    requests = len(wanted) * (1 + 4 * len(ready.config.languages) + len(layers) * len(ready.config.codes))
    client, found = Client(store, compared(ready), meter), list[_Sampled]()
    try:
        with Display("sample", meter, len(wanted), requests) as display:
            async with kept_up(lambda: display.update(len(found))):
                await run(steps, client, found.append, ready.config.engine.concurrency)
    finally:
        await client.close()
    if meter.failed and not any(x.texts for x in found):
        raise RunError(
            f"every prompt of the sample met a failed request ({meter.failed:,} in all)",
            "mend what the server refuses, or take a larger --sample",
        )
    return found


def _steps(ready: Prepared, prompt: Prompt, layers: tuple[int, ...]) -> Steps[_Sampled]:
    texts, vectors = yield from both(_texts(ready, prompt), embeddings(prompt, ready.config.codes, layers, ready.ask))
    return _Sampled(texts, vectors)


def _texts(ready: Prepared, prompt: Prompt) -> Steps[SampleTexts | None]:
    """All that the method makes of a prompt, then the way back of its translations."""
    outcome = yield from ready.method.steps(prompt, ready.ask)
    texts = SampleTexts.of(outcome, ready.config.dominant_language)
    # Where the translation of a prompt failed there is no answer in that language, and nothing to compare.
    if texts and texts.answers.keys() < set(ready.config.codes):
        return None
    if texts:
        there = [code for code in ready.config.languages if code in texts.outward and whole(texts.outward[code])]
        backs = yield from together(*(_back(ready, texts, code) for code in there))
        texts.back.update({code: back for code, back in zip(there, backs, strict=True) if back is not None})
    return texts


def _back(ready: Prepared, texts: SampleTexts, code: str) -> Steps[str | None]:
    translator, text = Translator.of(ready.config), texts.outward[code].text
    answer: Answer = yield way_back(translator, ready.config.dominant_language, texts.id, code, text, ready.ask)
    if isinstance(answer, Failure):
        return None
    return translator.read(answer, text, ready.ask).text


def _opinion(judge: JudgeModel, store: Store, texts: list[SampleTexts]) -> _Opinion:
    pairs = [pair for x in texts for pair in x.pairs]
    answered = [(code, x) for x in texts for code in x.answers]
    verdicts, grades = judge.judge(
        store,
        [Contest(x.id, x.language, x.prompt.joined, x.chosen.text, x.rejected.text) for x in pairs],
        [Submission(x.id, x.prompts[code], x.answers[code].text) for code, x in answered],
    )
    return _Opinion(
        grouped(zip((pair.language for pair in pairs), verdicts, strict=True)),
        grouped(zip((code for code, _ in answered), grades, strict=True)),
    )


def _measured(config: Config, texts: list[SampleTexts], opinion: _Opinion) -> Probe:
    identification = Identification(config.codes)
    measurement = Measurement(texts, config.dominant_language, identification)
    responses = {code: measurement.responses(code, opinion.grades.get(code, [])) for code in config.codes}
    doubt = warning([item for items in opinion.verdicts.values() for item in items])
    judged = {} if doubt else opinion.verdicts
    verdicts = {code: measurement.verdict(code, judged.get(code, [])) for code in config.languages}
    # Pairs that do more harm than good are no signal, though the faults of bad translations show in the rejected texts too.
    worthy = [code for code, found in verdicts.items() if found.verdict != "no"]
    carried = {code: measurement.carries(code) for code in config.languages}
    return Probe(
        prompts=len(texts),
        responses=responses,
        against_dominant={code: measurement.comparison(code) for code in config.languages},
        judged={code: Verdicts.of(items) for code, items in opinion.verdicts.items()},
        judge_warning=doubt,
        dominant=dominance_of(responses, carried, believed=doubt is None),
        signal=measurement.signal(worthy, judged),
        notes=identification.notes,
        verdicts=verdicts,
    )
