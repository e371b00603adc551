"""Measures one model or several side by side: the whole of `lidr eval`, as one call."""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.answers import ask
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.models import Purpose, model_of
from lidr_plugin.completions.requests import Chat
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_errors import check_place
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.benchmarks import benchmarks_of
from lidr_plugin.evaluation.benchmarks.base import Benchmark, MarkedAnswer, Question
from lidr_plugin.evaluation.benchmarks.mgsm import lacking
from lidr_plugin.evaluation.benchmarks.prompts import Prompts, outputs_of
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import grouped, summary
from lidr_plugin.evaluation.judge import Contest, JudgeModel, Verdicts, warning
from lidr_plugin.evaluation.lm_eval import Harness
from lidr_plugin.evaluation.results import Changes, HeadToHead, ModelResults, Results, plain
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import Text
from lidr_plugin.methods.responses import turns_of
from lidr_plugin.methods.translation import sampling_of
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import Identification
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
        files.sweep(run.eval_results.parent)
        found = evaluation.results(store)
        files.write_json(run.eval_results, plain(found))
    return found


class _Evaluation:
    """One call's parts, checked as far as they can be without asking anything."""

    def __init__(self, config: Config, run: RunDirectory, benchmarks: Sequence[Benchmark] | None) -> None:
        check_place(run.store)
        self._config = config
        self._folder = run.eval_results.parent
        self._identification = Identification(config.codes)
        wanted = benchmarks_of(config, self._identification) if benchmarks is None else benchmarks
        exams = [_Exam(benchmark, benchmark.questions(config.codes)) for benchmark in wanted]
        self._exams = [exam for exam in exams if exam.questions]
        self._harness = Harness(config, self._folder.absolute() / "lm_eval") if config.eval.lm_eval else None
        if not self._exams and not self._harness:
            hint = "set eval.mgsm, eval.skills or eval.prompts, with {language} in the path, or eval.lm_eval"
            raise InputError("eval: nothing to measure", hint)
        self._prompts = [exam for exam in self._exams if exam.benchmark.name == Prompts.name]
        prompts = [question for exam in self._prompts for question in exam.questions]
        self._outputs = {label: outputs_of(config, label, prompts) for label in config.eval.outputs}
        self._names = _names_of(config, run)
        self._models = {label: _model(config, label, name) for label, name in self._names.items()}
        self._judge = JudgeModel(config) if config.eval.judge and prompts else None
        self._answers: dict[str, dict[str, list[MarkedAnswer]]] = {}

    def results(self, store: Store) -> Results:
        """Asks and marks, one model after the other, then the answers that others gave."""
        results: dict[str, ModelResults] = {}
        for label, model in self._models.items():
            results[label] = self._measured(label, self._exams, iter(self._texts(store, label, model)))
            if self._harness:
                tasks = self._harness.run(label, self._names[label], model.identity)
                results[label] = {**results[label], "lm_eval": tasks}
        for label, texts in self._outputs.items():
            results[label] = self._measured(label, self._prompts, iter(texts))
        skipped = self._harness.tasks.skipped if self._harness else []
        return Results(
            models=self._names,
            weights={label: model.identity for label, model in self._models.items()},
            results=results,
            head_to_head=self._head_to_head(self._judge, store) if self._judge else None,
            changes=self._changes(),
            notes=(*self._identification.notes, *lacking(self._config), *(f"lm-eval: {task}" for task in skipped)),
        )

    def _texts(self, store: Store, label: str, model: Model) -> list[Text]:
        """A model's answers to all questions, in one go: an engine is started once."""
        drawn = self._config.generation
        sampling = sampling_of(drawn, drawn.temperature, self._config.eval.max_tokens)
        requests = [
            Chat(model.identity, turns_of(x.text, drawn.system), sampling, row=f"{x.id} [{x.language}]")
            for exam in self._exams
            for x in exam.questions
        ]
        found = interrupts.run(ask(store, model, requests, label)) if requests else []
        return [
            Text(without_thoughts(answer.text, thinking=drawn.thinking), cut=answer.cut)
            for answer in found
            if answer  # None only where a budget ends
        ]

    def _measured(self, label: str, exams: Iterable[_Exam], texts: Iterator[Text]) -> ModelResults:
        """By benchmark and language, what the marks come to; also writes the answers that they were found in."""
        found: ModelResults = {}
        for benchmark, questions in exams:
            answers = [
                MarkedAnswer(question, text, benchmark.marks(question, text))
                for question, text in zip(questions, islice(texts, len(questions)), strict=True)
            ]
            self._answers.setdefault(label, {})[benchmark.name] = answers
            by_language = grouped((answer.question.language, answer) for answer in answers)
            for code, own in by_language.items():
                benchmark.export(self._folder, label, code, own)
            found[benchmark.name] = {
                code: {mark: summary([answer.marks[mark] for answer in own]) for mark in own[0].marks}
                for code, own in by_language.items()
            }
        return found

    def _changes(self) -> dict[str, Changes]:
        """Of every further model against the first, on what both were asked."""
        first, *others = self._models
        known = self._answers.get(first, {})
        return {
            label: {
                **{name: changes_of(known[name], new) for name, new in self._answers.get(label, {}).items()},
                **({"lm_eval": self._harness.changes(first, label)} if self._harness else {}),
            }
            for label in others
        }

    def _head_to_head(self, judge: JudgeModel, store: Store) -> HeadToHead:
        """Each model's answers to the prompts against the first model's; also writes the verdicts."""
        (baseline, known), *others = [(label, answers[Prompts.name]) for label, answers in self._answers.items()]
        contests = [
            (label, Contest(new.question.id, new.question.language, new.question.text, new.text.text, old.text.text))
            for label, answers in others
            for new, old in zip(answers, known, strict=True)
        ]
        verdicts = judge.judge(store, [contest for _, contest in contests]).verdicts
        places = [(label, contest.language) for label, contest in contests]
        results: dict[str, dict[str, Verdicts]] = {label: {} for label, _ in others}
        for (label, code), items in grouped(zip(places, verdicts, strict=True)).items():
            results[label][code] = Verdicts.of(items)
            with files.replacing(self._folder / f"{label}-{baseline}.judged.{code}.jsonl") as file:
                file.writelines(files.dump_line({**x._asdict(), "outcome": x.outcome}) for x in items)
        return HeadToHead(
            judge=judge.name,
            against=baseline,
            cost=round(judge.budget.spent, 6),  # a sum of floats has more digits than meaning
            complete=not judge.budget.exhausted,
            warning=warning([verdict for verdict in verdicts if verdict]),
            pairs=len(contests),
            results=results,
        )


def changes_of(before: Sequence[MarkedAnswer], after: Sequence[MarkedAnswer]) -> dict[str, dict[str, Change]]:
    """By language and mark, how the answers to the same questions changed in what is yes or no."""
    pairs = grouped((old.question.language, (old.marks, new.marks)) for old, new in zip(before, after, strict=True))
    return {
        code: {
            mark: Change.of([bool(old[mark]) for old, _ in own], [bool(new[mark]) for _, new in own])
            for mark, value in own[0][0].items()
            if isinstance(value, bool)
        }
        for code, own in pairs.items()
    }


def _names_of(config: Config, run: RunDirectory) -> dict[str, str]:
    """The models to compare, by label."""
    if config.eval.models:
        return dict(config.eval.models)
    found = {"M0": config.model_name_or_path}
    if backend_of(config.engine) != "openai" and os.path.exists(run.model / "config.json"):
        found["M1"] = str(run.model)
    return found


def _model(config: Config, label: str, name: str) -> Model:
    """Whoever answers under a label; `engine.weights` and `engine.model` name one model, not several."""
    engine = config.engine.model_copy(update={"weights": None, "model": name})
    purpose = Purpose(f"eval.models: {label}", config.eval.max_tokens)
    # An answer that is missing would change the numbers: no request may fail.
    return model_of(config, engine, name, config.model_revision, purpose)._replace(max_failures=0)
