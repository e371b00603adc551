"""Measures one model or several side by side: the whole of `lidr eval`, as one call."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from lidr_plugin import files
from lidr_plugin.completions.answers import ask
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import backend_of, build_engine
from lidr_plugin.completions.engines.weights import weights_of
from lidr_plugin.completions.requests import Chat, Completion, Sampling
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Columns, Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks import fidelity, mgsm
from lidr_plugin.evaluation.head_to_head import Asked, Said, head_to_head
from lidr_plugin.evaluation.intervals import shares
from lidr_plugin.evaluation.lm_eval import lm_eval_of
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.prompts.prompt_set import PromptSet
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.thinking import without_thoughts

_MGSM_COLUMNS = Columns(instruction="query", final_answer="response")


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Where the results are, and what they are: model label, then benchmark, then language; and the judge's.

    `skipped`: families of lm-eval that have no task in a language.
    """

    folder: Path
    results: dict[str, Any]
    head_to_head: dict[str, Any] | None
    skipped: list[str]


class _Bench(NamedTuple):
    name: str
    questions: Sequence[Asked]


def evaluate(config: Config) -> Evaluated:
    """Asks every model what the configuration names and scores the answers; all go through the run's store.

    Raises:
        InputError: nothing is to be measured, or a file or a model is not there.
        RunError: a request failed for good; what was answered is kept.
    """
    run = RunDirectory.of(config.output_dir, config.store)
    mgsm_files = _mgsm_files(config)
    benches = list(_benches(config, mgsm_files))
    harness = lm_eval_of(config, mgsm_files, (run.eval_results.parent / "lm_eval").absolute())
    if not benches and not harness:
        raise InputError(
            "eval: nothing to measure", "set eval.mgsm or eval.prompts, with {language} in the path, or eval.lm_eval"
        )
    outputs = {label: _outputs(config, path, benches) for label, path in config.eval.outputs.items()}
    codes = [config.dominant_language, *config.languages]
    gate, results, folder = LanguageGate(codes), {}, run.eval_results.parent
    models = models_of(config, run)
    weights = {label: _weights(config, label, model) for label, model in models.items()}
    questions = [asked for bench in benches for asked in bench.questions]
    said: dict[str, Sequence[Said]] = {}
    with run.at_work("every answer is kept; the same command goes on from there"), Store(run.store) as store:
        for label, model in models.items():
            requests = _requests(config, weights[label], questions)
            found = asyncio.run(ask(store, _lane(config, run, model), requests, label)) if requests else []
            said[label] = _said(config, benches, [answer for answer in found if answer is not None])
            results[label] = _score(label, said[label], gate, folder)
            if harness:
                results[label]["lm_eval"] = harness.run(label, model, weights[label])
        for label, items in outputs.items():
            results[label] = _score(label, items, gate, folder)
        versus = (
            head_to_head(config, run, store, {**said, **outputs}) if config.eval.judge and config.eval.prompts else None
        )
        measured = {"models": models, "weights": weights, "results": results}
        files.write_json(run.eval_results, {**measured, "head_to_head": versus} if versus else measured)
    return Evaluated(folder, results, versus, harness.tasks.skipped if harness else [])


def _outputs(config: Config, pattern: str, benches: Sequence[_Bench]) -> list[Said]:
    """Answers from files, in the order of the prompts.

    Raises:
        InputError: a file is not there, is no list of instructions and outputs, or lacks a prompt.
    """
    asked = [question for bench in benches if bench.name == "prompts" for question in bench.questions]
    found: dict[tuple[str, str], str] = {}
    for code in dict.fromkeys(question.language for question in asked):
        path = config.folder / pattern.replace("{language}", code)
        try:
            for row in orjson.loads(path.read_bytes()):
                found[code, row["instruction"]] = str(row["output"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(f"eval.outputs: {path}: no JSON list of instruction and output ({error})") from None
    lacking = [x for x in asked if (x.language, x.instruction) not in found]
    if lacking:
        where = f"{lacking[0].id} [{lacking[0].language}]"
        raise InputError(f"eval.outputs: {pattern}: {len(lacking)} prompts have no output, the first is {where}")
    return [Said("prompts", x, found[x.language, x.instruction], cut=False) for x in asked]


def models_of(config: Config, run: RunDirectory) -> dict[str, str]:
    """The models to compare, by label."""
    if config.eval.models:
        return dict(config.eval.models)
    found = {"M0": config.model_name_or_path}
    if backend_of(config.engine) != "openai" and (run.model / "config.json").exists():
        found["M1"] = str(run.model)
    return found


def _weights(config: Config, label: str, model: str) -> str:
    """The identity of a model's weights; `engine.weights` and `engine.model` name one model, not several."""
    engine = config.engine.model_copy(update={"weights": None, "model": None})
    return weights_of(engine, model, config.model_revision, key=f"eval.models: {label}")


def _mgsm_files(config: Config) -> str | None:
    """The path of MGSM's questions, with `{language}` in it; loaded from the Hub where the configuration wants it so."""
    wanted = config.eval.mgsm
    if wanted is None:
        return None
    if wanted.startswith(mgsm.HUB):
        codes = [code for code in (config.dominant_language, *config.languages) if code in mgsm.LANGUAGES]
        return mgsm.from_hub(wanted.removeprefix(mgsm.HUB), codes)
    return str((config.folder / wanted).absolute())


def _benches(config: Config, mgsm_files: str | None) -> Iterator[_Bench]:
    codes = [config.dominant_language, *config.languages]
    if mgsm_files:
        known = [code for code in codes if code in mgsm.LANGUAGES]
        rows = _read(config, mgsm_files, known, _MGSM_COLUMNS, by_row=True)
        yield _Bench("mgsm", [row._replace(sent=mgsm.question(row.sent, row.language)) for row in rows])
    if config.eval.prompts:
        yield _Bench("prompts", list(_read(config, config.eval.prompts, codes, config.columns, by_row=False)))


def _read(config: Config, pattern: str, codes: Sequence[str], columns: Columns, *, by_row: bool) -> Iterator[Asked]:
    files = {code: config.folder / pattern.replace("{language}", code) for code in codes}
    if absent := [str(path) for path in files.values() if not path.is_file()]:
        raise InputError.of([f"{path}: no such file" for path in absent], "the files of lidr eval")
    with PromptSet(files, columns, by_row=by_row, limit=config.eval.limit) as prompts:
        for prompt in prompts:
            for code, text in prompt.texts.items():
                yield Asked(prompt.id, code, text.joined, text.joined, prompt.final_answer or "")


def _requests(config: Config, weights: str, questions: Sequence[Asked]) -> list[Chat]:
    drawn = config.generation
    sampling = Sampling(
        temperature=drawn.temperature,
        top_p=drawn.top_p,
        max_tokens=config.eval.max_tokens,
        repetition_penalty=drawn.repetition_penalty,
        seed=drawn.seed,
        thinking=drawn.thinking,
    )
    return [
        Chat(weights, turns_of(asked.sent, drawn.system), sampling, row=f"{asked.id} [{asked.language}]")
        for asked in questions
    ]


def _lane(config: Config, run: RunDirectory, model: str) -> Model:
    engine = config.engine.model_copy(update={"model": model})
    built = build_engine(
        engine,
        model=model,
        revision=config.model_revision,
        trust_remote_code=config.trust_remote_code,
        log=run.path / "vllm.log",
        max_tokens=config.eval.max_tokens,
    )
    return Model(built, engine.concurrency, 0)


def _said(config: Config, benches: Sequence[_Bench], answers: Sequence[Completion]) -> list[Said]:
    """The answers beside their questions, in the order of the benchmarks."""
    thinking = config.generation.thinking
    questions = [(bench.name, asked) for bench in benches for asked in bench.questions]
    return [
        Said(bench, asked, without_thoughts(answer.text, thinking=thinking), answer.finish_reason == "length")
        for (bench, asked), answer in zip(questions, answers, strict=True)
    ]


def _score(label: str, said: Sequence[Said], gate: LanguageGate, folder: Path) -> dict[str, Any]:
    """The scores by benchmark and language; also writes what they were scored on."""
    rows: dict[str, dict[str, list[Said]]] = {}
    for item in said:
        rows.setdefault(item.bench, {}).setdefault(item.asked.language, []).append(item)
    scorers = {"mgsm": _mgsm, "prompts": _fidelity}
    return {
        bench: {code: scorers[bench](label, code, items, gate, folder) for code, items in by_language.items()}
        for bench, by_language in rows.items()
    }


def _mgsm(label: str, language: str, rows: Sequence[Said], gate: LanguageGate, folder: Path) -> Mapping[str, Any]:
    items = [mgsm.judge(x.asked.id, x.text, x.asked.expected, language, gate, cut=x.cut) for x in rows]
    with files.replacing(folder / f"{label}.mgsm.{language}.jsonl") as file:
        file.writelines(files.dump_line(item._asdict()) for item in items)
    return shares(mgsm.score(items))


def _fidelity(label: str, language: str, rows: Sequence[Said], gate: LanguageGate, folder: Path) -> Mapping[str, Any]:
    """Also writes the answers as `alpaca_eval` reads them: a JSON list of instruction, output, generator."""
    outputs = [{"instruction": x.asked.instruction, "output": x.text, "generator": label} for x in rows]
    files.write_json(folder / f"{label}.alpaca_eval.{language}.json", outputs)
    return shares(fidelity.measure([x.text for x in rows], language, gate, cut=sum(x.cut for x in rows)))
