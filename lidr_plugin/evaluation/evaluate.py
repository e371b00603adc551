"""Measures one model or several side by side: the whole of `lidr eval`, as one call."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.answers import all_of
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.models import Purpose, model_of
from lidr_plugin.completions.steps import Steps
from lidr_plugin.completions.store import Store
from lidr_plugin.completions.store_errors import check_place
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.parity import checked, sample_among
from lidr_plugin.errors import InputError
from lidr_plugin.evaluation.baselines import baselines_of
from lidr_plugin.evaluation.baselines.base import Baseline, Reached, Setting
from lidr_plugin.evaluation.benchmarks import benchmarks_of
from lidr_plugin.evaluation.benchmarks.base import Benchmark, MarkedAnswer, Marks, Question
from lidr_plugin.evaluation.benchmarks.mgsm import lacking
from lidr_plugin.evaluation.benchmarks.prompts import Prompts, outputs_of
from lidr_plugin.evaluation.changes import Change
from lidr_plugin.evaluation.intervals import grouped, summary
from lidr_plugin.evaluation.judge import Contest, JudgeModel, Verdicts, warning
from lidr_plugin.evaluation.lm_eval import Harness
from lidr_plugin.evaluation.referenced import grades, submissions
from lidr_plugin.evaluation.results import Changes, HeadToHead, ModelResults, Results, plain
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import POLICY, TRANSLATOR, Ask, Text
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import Identification

_COMPARED = 6
"""Questions, of all benchmarks and languages, whose tokens are compared with those of training."""


class _Exam(NamedTuple):
    """A benchmark and its questions.

    Attributes:
        kept: the marks that are looked at; None: all.
    """

    benchmark: Benchmark
    questions: Sequence[Question]
    kept: frozenset[str] | None = None


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
        self._setting = Setting.of(config)
        self._baselines = {name: (x, self._suiting(x)) for name, x in baselines_of(config).items()}
        self._answers: dict[str, dict[str, list[MarkedAnswer]]] = {}

    def results(self, store: Store) -> Results:
        """Asks and marks, one model after the other, then the answers that others gave."""
        results: dict[str, ModelResults] = {}
        first = next(iter(self._models))
        for label, model in self._models.items():
            baselines = self._baselines if label == first else {}
            reached = iter(self._reached(store, label, model, baselines))
            results[label] = self._measured(label, self._exams, reached)
            results |= {
                f"{label}+{name}": self._measured(f"{label}+{name}", exams, reached)
                for name, (_, exams) in baselines.items()
            }
            if self._harness:
                tasks = self._harness.run(label, self._names[label], model.identity)
                results[label] = {**results[label], "lm_eval": tasks}
        for label, texts in self._outputs.items():
            languages = [question.language for exam in self._prompts for question in exam.questions]
            results[label] = self._measured(label, self._prompts, map(Reached, texts, languages))
        skipped = self._harness.tasks.skipped if self._harness else []
        judged = self._judged(self._judge, store, results) if self._judge else None
        return Results(
            models=self._names,
            weights={label: model.identity for label, model in self._models.items()},
            results=results,
            head_to_head=judged,
            changes=self._changes(),
            notes=(*self._identification.notes, *lacking(self._config), *(f"lm-eval: {task}" for task in skipped)),
        )

    def _suiting(self, baseline: Baseline) -> list[_Exam]:
        """The exams that suit a baseline. What it answers in another language than the question's is right or wrong, no more."""
        return [
            _Exam(benchmark, questions, frozenset({"accuracy", "cut"}) if questions[0].expected else None)
            for benchmark, questions, _ in self._exams
            if questions[0].expected or not baseline.needs_answer
        ]

    def _reached(
        self, store: Store, label: str, model: Model, baselines: Mapping[str, tuple[Baseline, list[_Exam]]]
    ) -> list[Reached]:
        """A model's answers to all questions, those by way of baselines after the plain ones: an engine is started once."""
        asker = Ask({POLICY: model.identity, TRANSLATOR: model.identity})
        plain = [self._plain(x, asker) for exam in self._exams for x in exam.questions]
        others = [y.steps(x, asker) for y, exams in baselines.values() for exam in exams for x in exam.questions]
        if not plain:
            return []
        return interrupts.run(all_of(store, self._checked(model, label), [*plain, *others], label))

    def _checked(self, model: Model, label: str) -> Model:
        """The model, if it reads some questions of all benchmarks and languages as training does."""
        questions = [question.text for exam in self._exams for question in exam.questions]
        sample = sample_among(map(self._setting.turns, questions[:: -(-len(questions) // _COMPARED)]), self._config)
        return checked(model, self._config.model_copy(update={"model_name_or_path": self._names[label]}), sample)

    def _plain(self, question: Question, asker: Ask) -> Steps[Reached]:
        turns = self._setting.turns(question.text)
        answer = yield from self._setting.answered(turns, asker, f"{question.id} [{question.language}]")
        return Reached(answer, question.language)

    def _measured(self, label: str, exams: Iterable[_Exam], reached: Iterator[Reached]) -> ModelResults:
        """By benchmark and language, what the marks come to; also writes the answers that they were found in."""
        found: ModelResults = {}
        for benchmark, questions, kept in exams:
            answers = [
                MarkedAnswer(question, text, _marks(benchmark, question._replace(language=language), text, kept))
                for question, (text, language) in zip(questions, islice(reached, len(questions)), strict=True)
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

    def _judged(self, judge: JudgeModel, store: Store, results: Mapping[str, ModelResults]) -> HeadToHead:
        """Each model's answers to the prompts against the first model's, and where wanted the grades of all beside a reference,
        which are put into the results; also writes both."""
        answered = {label: found[Prompts.name] for label, found in self._answers.items() if Prompts.name in found}
        (baseline, known), *others = answered.items()
        contests = [
            (label, Contest(new.question.id, new.question.language, new.question.text, new.text.text, old.text.text))
            for label, answers in others
            for new, old in zip(answers, known, strict=True)
        ]
        referenced = submissions(answered, self._config.dominant_language) if judge.has_reference else []
        verdicts, graded = judge.judge(store, [contest for _, contest in contests], [x.submission for x in referenced])
        for label, code, mean in grades(self._folder, referenced, graded):
            by_language = results[label][Prompts.name]
            results[label][Prompts.name] = {**by_language, code: {**by_language[code], "grade": mean}}
        places = [(label, contest.language) for label, contest in contests]
        counted: dict[str, dict[str, Verdicts]] = {label: {} for label, _ in others}
        for (label, code), items in grouped(zip(places, verdicts, strict=True)).items():
            counted[label][code] = Verdicts.of(items)
            with files.replacing(self._folder / f"{label}-{baseline}.judged.{code}.jsonl") as file:
                file.writelines(files.dump_line({**x._asdict(), "outcome": x.outcome}) for x in items)
        return HeadToHead(
            judge=judge.name,
            against=baseline,
            cost=round(judge.budget.spent, 6),  # a sum of floats has more digits than meaning
            complete=not judge.budget.exhausted,
            warning=warning([verdict for verdict in verdicts if verdict]),
            pairs=len(contests),
            results=counted,
        )


def _marks(benchmark: Benchmark, question: Question, text: Text, kept: frozenset[str] | None) -> Marks:
    """What is found in an answer, as far as it is looked at."""
    marks = benchmark.marks(question, text)
    return marks if kept is None else {mark: value for mark, value in marks.items() if mark in kept}


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
