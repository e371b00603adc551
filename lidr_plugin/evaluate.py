"""Measures one model or several side by side: the whole of `lidr eval`, as one call."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from lidr_plugin import chat, jsonl
from lidr_plugin.config import Columns, Config
from lidr_plugin.configfile import Loaded
from lidr_plugin.engines import backend_of, build_engine
from lidr_plugin.engines.identity import weights_of
from lidr_plugin.errors import InputError, Interrupted, LidrError
from lidr_plugin.evals import fidelity, mgsm
from lidr_plugin.evals.intervals import Share
from lidr_plugin.generate import Generator, Lane, Missing
from lidr_plugin.langid import LanguageGate
from lidr_plugin.progress import Display, Meter
from lidr_plugin.prompts import PromptSet
from lidr_plugin.records import Completion, Failure, Request, Sampling
from lidr_plugin.rundir import RunDir
from lidr_plugin.store import Store

_MGSM_COLUMNS = Columns(instruction="query", final_answer="response")


class Asked(NamedTuple):
    """One question in one language, as it is sent."""

    id: str
    language: str
    instruction: str
    sent: str
    expected: str


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Where the results are, and what they are: model label, then benchmark, then language."""

    folder: Path
    results: dict[str, Any]


class _Bench(NamedTuple):
    name: str
    questions: Sequence[Asked]


def evaluate(loaded: Loaded) -> Evaluated:
    """Asks every model what the configuration names and scores the answers; all go through the run's store.

    Raises:
        InputError: nothing is to be measured, or a file or a model is not there.
        RunError: a request failed for good; what was answered is kept.
    """
    config = loaded.config
    run = RunDir.of(config.output_dir, config.store)
    benches = list(_benches(loaded))
    if not benches:
        raise InputError("eval: nothing to measure", "set eval.mgsm or eval.prompts, with {language} in the path")
    codes = [config.dominant_language, *config.languages]
    gate, results, folder = LanguageGate(codes), {}, run.eval_results.parent
    models = models_of(config, run)
    weights = {label: _weights(config, model) for label, model in models.items()}
    with run.locked():
        for label, model in models.items():
            questions = [asked for bench in benches for asked in bench.questions]
            try:
                answers = asyncio.run(_ask(config, run, model, weights[label], questions))
            except KeyboardInterrupt:
                raise Interrupted("interrupted", "every answer is kept; the same command goes on from there") from None
            results[label] = _score(config, label, benches, answers, gate, folder)
        jsonl.write_json(run.eval_results, {"models": models, "weights": weights, "results": results})
    return Evaluated(folder, results)


def models_of(config: Config, run: RunDir) -> dict[str, str]:
    """The models to compare, by label."""
    if config.eval.models:
        return dict(config.eval.models)
    found = {"M0": config.model_name_or_path}
    if backend_of(config.engine) != "openai" and (run.model / "config.json").exists():
        found["M1"] = str(run.model)
    return found


def _weights(config: Config, model: str) -> str:
    """The identity of a model's weights; `engine.weights` and `engine.model` name one model, not several."""
    engine = config.engine.model_copy(update={"weights": None, "model": None})
    return weights_of(engine, model, config.model_revision)


def _benches(loaded: Loaded) -> Iterator[_Bench]:
    config = loaded.config
    codes = [config.dominant_language, *config.languages]
    if config.eval.mgsm:
        known = [code for code in codes if code in mgsm.LANGUAGES]
        rows = _read(loaded, config.eval.mgsm, known, _MGSM_COLUMNS, by_row=True)
        yield _Bench("mgsm", [row._replace(sent=mgsm.question(row.sent, row.language)) for row in rows])
    if config.eval.prompts:
        yield _Bench("prompts", list(_read(loaded, config.eval.prompts, codes, config.columns, by_row=False)))


def _read(loaded: Loaded, pattern: str, codes: Sequence[str], columns: Columns, *, by_row: bool) -> Iterator[Asked]:
    files = {code: loaded.folder / pattern.replace("{language}", code) for code in codes}
    if absent := [str(path) for path in files.values() if not path.is_file()]:
        raise InputError.of([f"{path}: no such file" for path in absent], "the files of lidr eval")
    with PromptSet(files, columns, by_row=by_row, limit=loaded.config.eval.limit) as prompts:
        for prompt in prompts:
            for code, text in prompt.texts.items():
                yield Asked(prompt.id, code, text.joined, text.joined, prompt.final_answer or "")


async def _ask(config: Config, run: RunDir, model: str, weights: str, questions: Sequence[Asked]) -> list[Completion]:
    drawn = config.generation
    sampling = Sampling(
        temperature=drawn.temperature,
        top_p=drawn.top_p,
        max_tokens=config.eval.max_tokens,
        repetition_penalty=drawn.repetition_penalty,
        seed=drawn.seed,
        thinking=drawn.thinking,
    )
    requests = [
        chat.response_request(
            asked.sent, weights=weights, sampling=sampling, system=drawn.system, row=f"{asked.id} [{asked.language}]"
        )
        for asked in questions
    ]
    engine = config.engine.model_copy(update={"model": model})
    built = build_engine(
        engine,
        model=model,
        revision=config.model_revision,
        trust_remote_code=config.trust_remote_code,
        log=run.path / "vllm.log",
        max_tokens=config.eval.max_tokens,
    )
    lane, meter = Lane(built, engine.concurrency, 0), Meter()
    with Store(run.store) as store, Display(meter, len(requests), len(requests)) as display:
        generator = Generator(store, {weights: lane}, meter)
        try:
            return await _answers(generator, requests, meter, display)
        finally:
            await generator.close()


async def _answers(
    generator: Generator, requests: Sequence[Request], meter: Meter, display: Display
) -> list[Completion]:
    """In the order of the requests; what is in the store is not asked."""
    found = generator.stored(requests)

    async def one(item: Completion | Missing) -> Completion:
        answer = await generator.complete(item) if isinstance(item, Missing) else item
        assert not isinstance(answer, Failure), "a lane without allowed failures raises"
        display.update(meter.generated + meter.reused)
        return answer

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in found]
    except* LidrError as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


def _score(
    config: Config,
    label: str,
    benches: Sequence[_Bench],
    answers: Sequence[Completion],
    gate: LanguageGate,
    folder: Path,
) -> dict[str, Any]:
    """Scores in the order of the questions, and writes what they were scored on."""
    remaining, found = iter(answers), {}
    for bench in benches:
        by_language: dict[str, list[tuple[Asked, str, bool]]] = {}
        for asked in bench.questions:
            completion = next(remaining)
            text = chat.without_thoughts(completion.text, thinking=config.generation.thinking)
            by_language.setdefault(asked.language, []).append((asked, text, completion.finish_reason == "length"))
        score = _mgsm if bench.name == "mgsm" else _fidelity
        found[bench.name] = {code: score(label, code, rows, gate, folder) for code, rows in by_language.items()}
    return found


def _shares(result: Any) -> dict[str, Any]:
    return {name: x.json() if isinstance(x, Share) else x for name, x in result._asdict().items()}


def _mgsm(
    label: str, language: str, rows: Sequence[tuple[Asked, str, bool]], gate: LanguageGate, folder: Path
) -> Mapping[str, Any]:
    items = [mgsm.judge(asked.id, text, asked.expected, language, gate, cut=cut) for asked, text, cut in rows]
    with jsonl.replacing(folder / f"{label}.mgsm.{language}.jsonl") as file:
        file.writelines(jsonl.dump_line(item._asdict()) for item in items)
    return _shares(mgsm.score(items))


def _fidelity(
    label: str, language: str, rows: Sequence[tuple[Asked, str, bool]], gate: LanguageGate, folder: Path
) -> Mapping[str, Any]:
    """Also writes the answers as `alpaca_eval` reads them: a JSON list of instruction, output, generator."""
    outputs = [{"instruction": asked.instruction, "output": text, "generator": label} for asked, text, _ in rows]
    jsonl.write_json(folder / f"{label}.alpaca_eval.{language}.json", outputs)
    texts = [text for _, text, _ in rows]
    return _shares(fidelity.measure(texts, language, gate, cut=sum(cut for _, _, cut in rows)))
