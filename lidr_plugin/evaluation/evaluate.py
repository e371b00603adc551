"""Measures one model or several side by side: the whole of `lidr eval`, as one call."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.budget import ask
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.models import model_of
from lidr_plugin.completions.requests import Chat
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks import benchmarks_of
from lidr_plugin.evaluation.benchmarks.base import Benchmark, MarkedAnswer, Question
from lidr_plugin.evaluation.benchmarks.prompts import Prompts, outputs_of
from lidr_plugin.evaluation.head_to_head import JudgeModel, head_to_head
from lidr_plugin.evaluation.identification import Identification
from lidr_plugin.evaluation.intervals import Value, grouped, summary
from lidr_plugin.evaluation.lm_eval import Harness
from lidr_plugin.evaluation.results import Results, plain
from lidr_plugin.methods.base import Text
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.methods.translation import sampling_of
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.thinking import without_thoughts


class _Exam(NamedTuple):
    """A benchmark and its questions."""

    benchmark: Benchmark
    questions: Sequence[Question]


def evaluate(config: Config, *, benchmarks: Sequence[Benchmark] | None = None) -> Results:
    """Asks every model what the configuration names and marks the answers; all go through the run's store.

    Args:
        benchmarks: in place of those that the configuration names.

    Raises:
        InputError: nothing is to be measured, or a file or a model is not there.
        RunError: a request failed for good; what was answered is kept.
    """
    run = RunDirectory.of(config.output_dir, config.store)
    evaluation = _Evaluation(config, run, benchmarks)
    with run.at_work("every answer is kept; the same command goes on from there"), Store(run.store) as store:
        found = evaluation.results(store)
        files.write_json(run.eval_results, plain(found))
    return found


class _Evaluation:
    """One call's parts, checked as far as they can be without asking anything."""

    def __init__(self, config: Config, run: RunDirectory, benchmarks: Sequence[Benchmark] | None) -> None:
        self._config = config
        self._folder = run.eval_results.parent
        self._identification = Identification(config.codes)
        wanted = benchmarks_of(config, self._identification) if benchmarks is None else benchmarks
        exams = [_Exam(benchmark, benchmark.questions(config.codes)) for benchmark in wanted]
        self._exams = {exam.benchmark.name: exam for exam in exams if exam.questions}
        self._harness = Harness.of(config, (self._folder / "lm_eval").absolute())
        if not self._exams and not self._harness:
            hint = "set eval.mgsm or eval.prompts, with {language} in the path, or eval.lm_eval"
            raise InputError("eval: nothing to measure", hint)
        self._prompts = self._exams.get(Prompts.name)
        questions = self._prompts.questions if self._prompts else ()
        self._outputs = {label: outputs_of(config, label, questions) for label in config.eval.outputs}
        self._names = _names_of(config, run)
        self._models = {label: _model(config, label, name) for label, name in self._names.items()}
        self._judge = JudgeModel.of(config) if self._prompts else None

    def results(self, store: Store) -> Results:
        """Asks and marks, one model after the other, then the answers that others gave."""
        results: dict[str, dict[str, Mapping[str, Mapping[str, Value]]]] = {}
        answers: dict[str, Sequence[MarkedAnswer]] = {}
        for label, model in self._models.items():
            marked = self._marked(self._exams.values(), self._texts(store, label, model))
            answers[label] = marked.get(Prompts.name, [])
            results[label] = self._summed(label, marked)
            if self._harness:
                results[label]["lm_eval"] = self._harness.run(label, self._names[label], model.identity)
        for label, texts in self._outputs.items():
            marked = self._marked([self._exams[Prompts.name]], texts)
            answers[label] = marked[Prompts.name]
            results[label] = self._summed(label, marked)
        return Results(
            models=self._names,
            weights={label: model.identity for label, model in self._models.items()},
            results=results,
            head_to_head=head_to_head(self._judge, store, answers, self._folder) if self._judge else None,
            notes=self._identification.notes + (self._harness.notes if self._harness else ()),
        )

    def _texts(self, store: Store, label: str, model: Model) -> list[Text]:
        """A model's answers to all questions, in one go: an engine is started once."""
        drawn = self._config.generation
        sampling = sampling_of(drawn, drawn.temperature, self._config.eval.max_tokens)
        requests = [
            Chat(model.identity, turns_of(x.text, drawn.system), sampling, row=f"{x.id} [{x.language}]")
            for exam in self._exams.values()
            for x in exam.questions
        ]
        found = asyncio.run(ask(store, model, requests, label)) if requests else []
        return [
            Text(without_thoughts(answer.text, thinking=drawn.thinking), cut=answer.finish_reason == "length")
            for answer in found
            if answer  # None only where a budget ends
        ]

    @staticmethod
    def _marked(exams: Iterable[_Exam], texts: Sequence[Text]) -> dict[str, list[MarkedAnswer]]:
        """By benchmark, the answers beside their questions."""
        left = iter(texts)
        return {
            benchmark.name: [
                MarkedAnswer(question, text, benchmark.marks(question, text))
                for question, text in zip(questions, islice(left, len(questions)), strict=True)
            ]
            for benchmark, questions in exams
        }

    def _summed(
        self, label: str, marked: Mapping[str, Sequence[MarkedAnswer]]
    ) -> dict[str, Mapping[str, Mapping[str, Value]]]:
        """By benchmark and language, what the marks come to; also writes the answers that they were found in."""
        found: dict[str, Mapping[str, Mapping[str, Value]]] = {}
        for name, answers in marked.items():
            by_language = grouped((answer.question.language, answer) for answer in answers)
            for code, own in by_language.items():
                self._exams[name].benchmark.export(self._folder, label, code, own)
            found[name] = {
                code: {mark: summary([answer.marks[mark] for answer in own]) for mark in own[0].marks}
                for code, own in by_language.items()
            }
        return found


def _names_of(config: Config, run: RunDirectory) -> dict[str, str]:
    """The models to compare, by label."""
    if config.eval.models:
        return dict(config.eval.models)
    found = {"M0": config.model_name_or_path}
    if backend_of(config.engine) != "openai" and (run.model / "config.json").exists():
        found["M1"] = str(run.model)
    return found


def _model(config: Config, label: str, name: str) -> Model:
    """Whoever answers under a label; `engine.weights` and `engine.model` name one model, not several."""
    engine = config.engine.model_copy(update={"weights": None, "model": name})
    key, longest = f"eval.models: {label}", config.eval.max_tokens
    # An answer that is missing would change the numbers: no request may fail.
    return model_of(config, engine, name, config.model_revision, key, longest, "vllm.log")._replace(max_failures=0)
