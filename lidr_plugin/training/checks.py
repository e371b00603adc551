"""lidr's scripts in the train environment (`inside/`), and in words what they found: template, lengths, merged model."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lidr_plugin.completions.parity import shown
from lidr_plugin.dataset.views import rows_of
from lidr_plugin.errors import InputError, RunError
from lidr_plugin.machine.children import last_said, running, said_by
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training import inside
from lidr_plugin.training.llamafactory_cli import environment
from lidr_plugin.training.recipe import Settings
from lidr_plugin.training.shift import PROBE_TOKENS, PROBES, text_of
from lidr_plugin.training.state import MergeProof

T = TypeVar("T", bound=BaseModel)
_SAMPLE = 64
"""Rows whose tokens are compared: what differs in one nearly always differs in all, and a thousand would take seconds."""


class Mismatch(BaseModel, frozen=True):
    """The first difference, in a row's `prompt` or `answer`, with the tokens around it."""

    row: str
    part: str
    position: int
    template: list[str]
    chat_template: list[str]


class Fix(BaseModel, frozen=True):
    """A template that agrees, with the system prompt that it needs for that; None: its own."""

    template: str
    default_system: str | None


class Lengths(BaseModel, frozen=True):
    """Tokens of the rows; `over` has the places of those that are longer than `cutoff_len`."""

    rows: int
    longest: int
    p99: int
    cutoff_len: int
    over: list[int]

    def words(self, *, dropped: bool) -> str:
        """What the user should know, and the `cutoff_len` that would cut no row."""
        text = f"tokens: longest row {self.longest:,}, 99 % have at most {self.p99:,}; cutoff_len {self.cutoff_len:,}"
        if not self.over:
            return text
        enough = -(-self.longest // 64) * 64  # in multiples of 64, which suit a GPU
        fate = "dropped, and listed beside the dataset" if dropped else "cut (train.drop_over_cutoff=true drops them)"
        return f"{text}: {len(self.over):,} of {self.rows:,} rows are {fate}; train.cutoff_len={enough} keeps all whole"


class Parity(BaseModel, frozen=True):
    """How LLaMA-Factory's template agrees with the model's chat template in so many rows, and the lengths of a dataset's.

    `at_the_ends` rows differ by white space around a text, which the chat template takes away; that is no mismatch.
    """

    template: str
    checked: int
    at_the_ends: int
    mismatch: Mismatch | None
    fixes: list[Fix]
    lengths: Lengths | None

    @property
    def problem(self) -> InputError | None:
        """The mismatch, in tokens, with its fix; None if the templates agree."""
        wrong = self.mismatch
        if wrong is None:
            return None
        message = (
            f"template {self.template}: what LLaMA-Factory trains on is not what the model is asked "
            f"(row {wrong.row or 'one'}, {wrong.part}, token {wrong.position}):\n"
            f"  LLaMA-Factory  {shown(wrong.template)}\n"
            f"  chat template  {shown(wrong.chat_template)}"
        )
        return InputError(message, f"{self._fix()}; train.allow_template_mismatch=true trains nevertheless")

    def _fix(self) -> str:
        if not self.fixes:
            return "no template of LLaMA-Factory agrees with this model's"
        best = self.fixes[0]
        changes = [f"template: {best.template}"] if best.template != self.template else []
        if best.default_system is not None:
            changes.append(f"train: {{default_system: {best.default_system!r}}}")
        others = ", ".join(fix.template for fix in self.fixes[1:4])
        also = f" (templates that agree too: {others})" if others and changes else ""
        return f"set {' and '.join(changes) or 'the same system prompt'}{also}"

    @property
    def agreement(self) -> str:
        """In how many rows they agree."""
        aside = f"; {self.at_the_ends} have white space around a text, which the chat template takes away"
        return (
            f"{self.template} agrees with the chat template in {self.checked} rows{aside if self.at_the_ends else ''}"
        )


def check_template(
    settings: Settings, python: Path, env: Mapping[str, str], *, rows: Sequence[Mapping[str, str]] = ()
) -> Parity:
    """Compares LLaMA-Factory's template with the model's chat template, on the dataset if there is one.

    Args:
        rows: what to compare as long as there is none: prompts with an answer made up.

    Raises:
        RunError: the model's tokenizer cannot be read.
    """
    job = {"settings": settings, "rows": rows, "sample": _SAMPLE}
    return _read(Parity, "check", _answer("check", job, python, env))


def merge(settings: Settings, run: RunDirectory, python: Path, *, dtype: str) -> MergeProof:
    """Saves the trained model, its adapter merged, in `unproved(run)`, and compares it with what was trained.

    Raises:
        RunError: a model cannot be read or written.
    """
    texts = [text_of(row) for row in islice(rows_of(run, settings["dataset"]), PROBES)]
    target = str(unproved(run).absolute())
    job = {"settings": settings, "target": target, "dtype": dtype, "probes": texts, "probe_tokens": PROBE_TOKENS}
    return _read(MergeProof, "merge", _answer("merge", job, python, {}))


class _Modelfile(BaseModel):
    """What `inside/modelfile.py` answers."""

    modelfile: str


def modelfile_of(job: Mapping[str, Any], python: Path, env: Mapping[str, str]) -> str:
    """Ollama's Modelfile by LLaMA-Factory's template. Raises `RunError` if the model's tokenizer cannot be read."""
    return _read(_Modelfile, "modelfile", _answer("modelfile", job, python, env)).modelfile


def _read(kind: type[T], script: str, answer: str) -> T:
    try:
        return kind.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise RunError(
            f"lidr's {script} in the train environment answered rubbish: {what}", "`lidr doctor` checks it"
        ) from None


def unproved(run: RunDirectory) -> Path:
    """Where a merged model lies until it is proved."""
    return run.model.with_name(".model.unproved")


def _answer(script: str, job: Mapping[str, Any], python: Path, env: Mapping[str, str]) -> str:
    """The JSON with which a script of `inside/` answers its job."""
    file = Path(inside.__file__).with_name(f"{script}.py")
    # Without GPUs: the machine's memory has room for what it trains, and a training beside this one is left alone.
    seen = {**environment(python, env), "CUDA_VISIBLE_DEVICES": ""}
    pipe = subprocess.PIPE
    with running(
        [str(python), str(file)], env=seen, encoding="utf-8", errors="replace", stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        output, said = said_by(process, json.dumps(job))
    for line in reversed(output.splitlines()):
        if line.startswith("LIDR "):
            return line.removeprefix("LIDR ")
    end = "\n".join(f"  {line}" for line in last_said(said))
    raise RunError(f"lidr's {script} in the train environment failed:\n{end}", "`lidr doctor` checks it")
