"""A conversation with a run's models side by side, the base and what was trained of it: `lidr chat`."""

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from lidr_plugin import files
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.completions.models import Purpose, model_of
from lidr_plugin.completions.requests import Chat, Completion, Message
from lidr_plugin.config.engine import EngineSettings
from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError, RequestError, RunError
from lidr_plugin.machine import interrupts
from lidr_plugin.machine.gpus import gpus
from lidr_plugin.machine.kv_cache import left_to_vllm
from lidr_plugin.methods.responses import Responder
from lidr_plugin.prompts.prompt import PromptText
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.text.language import LanguageGate
from lidr_plugin.text.thinking import without_thoughts
from lidr_plugin.training.export import opened
from lidr_plugin.training.state import read_state

_SHARE = 0.45
"""Of a GPU's memory for each of two servers: vLLM by itself takes nine tenths."""


class Reply(NamedTuple):
    """What a model answered.

    Attributes:
        notes: why there is no text, or what is to be known of it.
    """

    label: str
    text: str
    notes: tuple[str, ...]
    failed: bool = False


class _Side:
    """A model and its own turns: each goes on from what it said itself."""

    def __init__(self, label: str, name: str, model: Model) -> None:
        self.label, self.name, self.model = label, name, model
        self.turns: list[Message] = []

    async def complete(self, request: Chat) -> Completion:
        """The model's answer, if there is money for it."""
        engine, budget = self.model.engine, self.model.budget
        if budget is None:
            return await engine.complete(request)
        answer = await budget.pay(request, lambda: engine.complete(request))
        if answer is None:
            raise RunError(
                f"engine.max_cost: the next answer could pass {budget.cap:g}", "set a higher engine.max_cost"
            )
        return answer


class Conversation:
    """Asks all models at once.

    Args:
        language: that of the conversation; an answer in another has a note.

    Attributes:
        system: the system prompt of the next answers.
    """

    def __init__(self, config: Config, sides: list[_Side], language: str, runner: asyncio.Runner) -> None:
        self._config = config
        self._sides = sides
        self._language = language
        self._runner = runner
        self._responder = Responder.of(config)
        self._gate = LanguageGate(config.codes)
        self._saved: set[Path] = set()
        self.system = self._responder.system

    def ask(self, text: str) -> list[Reply]:
        """The answers; the first message of a conversation is worded as the run words its prompts.

        Raises:
            RunError: an engine does not go on, or the money is spent.
        """
        return interrupts.run(self._asked(text), self._runner)

    async def _asked(self, text: str) -> list[Reply]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answered(side, text)) for side in self._sides]
        return [task.result() for task in tasks]

    async def _answered(self, side: _Side, text: str) -> Reply:
        responder = self._responder
        worded = text if side.turns else responder.worded(PromptText(text), self._language).joined
        turns = [*side.turns, Message("user", worded)]
        system = [Message("system", self.system)] if self.system else []
        request = Chat(side.model.identity, (*system, *turns), responder.sampling, row=side.label)
        try:
            answer = await side.complete(request)
        except RequestError as error:
            return Reply(side.label, "", tuple(filter(None, (error.message, error.hint))), failed=True)
        found = without_thoughts(answer.text, thinking=responder.sampling.thinking)
        side.turns = [*turns, Message("assistant", found)]
        return Reply(side.label, found, tuple(self._notes(found, answer)))

    def _notes(self, text: str, answer: Completion) -> Iterator[str]:
        if not text:
            yield "an empty answer"
        if answer.cut:
            yield f"cut at {self._responder.sampling.max_tokens} tokens: generation.max_tokens"
        detected = self._gate.detect(text)
        if detected not in (None, self._language):
            yield f"in {self._config.name_of(detected)}"

    def clear(self) -> None:
        """Begins anew, with the same system prompt."""
        for side in self._sides:
            side.turns = []

    def save(self, path: Path) -> None:
        """Writes the conversation as JSON lines, one for each model.

        Raises:
            InputError: there is something that this conversation did not write, or the name can be no file's.
            RunError: the file cannot be written.
        """
        if "\0" in str(path) or (os.path.lexists(path) and path not in self._saved):
            raise InputError(f"{path}: it is there already, or no file's name: name another")
        system = [Message("system", self.system)] if self.system else []
        rows = [
            {
                "label": side.label,
                "model": side.name,
                "language": self._language,
                "messages": [turn._asdict() for turn in (*system, *side.turns)],
            }
            for side in self._sides
        ]
        try:
            with files.replacing(path) as file:
                file.writelines(map(files.dump_line, rows))
        except OSError as error:
            raise RunError.of(error, path) from None
        self._saved.add(path)


@contextmanager
def conversation(
    run: RunDirectory, overrides: list[str], language: str | None, say: Callable[[str], None]
) -> Iterator[Conversation]:
    """Opens the models of a run for the block, and ends what it started for them.

    Args:
        language: None: the run's first that is not the dominant one.

    Raises:
        InputError: nothing was trained, a model is not there, or the language is not one of the run.
        EngineError: an engine could not be opened.
    """
    config = opened(run, overrides)
    language = language or config.languages[0]
    if language not in config.codes:
        raise InputError(f"--language {language}: not a language of the run", f"it has {', '.join(config.codes)}")
    # A run may have been moved: logs go where it lies now.
    config = config.model_copy(update={"output_dir": str(run.path), "store": None})
    sides = [_Side(label, name, _model(config, label, name)) for label, name in _names(config, run).items()]
    for side in sides:  # what one command may cost, all of them may
        side.model = side.model._replace(budget=sides[0].model.budget)
    with asyncio.Runner() as runner:
        engines = AsyncExitStack()
        try:
            for side in sides:  # one after the other: each sizes itself by the memory that is free
                say(f"opening {side.label}: {side.name}")
                interrupts.run(engines.enter_async_context(side.model.engine), runner)
            yield Conversation(config, sides, language, runner)
        finally:
            interrupts.run(engines.aclose(), runner)


def _names(config: Config, run: RunDirectory) -> Mapping[str, str]:
    """The models by label: the base as it was trained, and what came of it; of a server those that the evaluation asks."""
    if backend_of(config.engine) != "openai":
        state = read_state(run)
        base = state.training.get("model_name_or_path") if state else None
        return {"M0": str(base or config.model_name_or_path), "M1": str(run.model)}
    if config.eval.models:
        return config.eval.models
    raise InputError(
        "engine.base_url: under which name the server has the trained model is not known",
        f"lidr chat {run.path} 'eval.models={{M0: NAME, M1: NAME}}' with the names that it serves\n"
        f"or, for an engine that lidr starts: lidr chat {run.path} engine.base_url=[] engine.backend=vllm",
    )


def _model(config: Config, label: str, name: str) -> Model:
    settings = config.engine
    shared = {"gpu_memory_utilization": _SHARE} if _shares_a_gpu(settings) else {}
    update = {"weights": None, "model": name, "concurrency": 1, "args": {**settings.args, **shared}}
    purpose = Purpose(label, config.generation.max_tokens, f"chat-{label}.log")
    return model_of(config, settings.model_copy(update=update), name, config.model_revision, purpose)


def _shares_a_gpu(settings: EngineSettings) -> bool:
    """Whether two servers will want the memory of one GPU, and nobody has said how much each may have."""
    given = {name.replace("-", "_"): value for name, value in settings.args.items()}
    return backend_of(settings) == "vllm" and not left_to_vllm(given) and bool(gpus())
