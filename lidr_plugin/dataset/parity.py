"""A run's policy, compared with the model as the train environment reads it."""

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.engines.base import Engine
from lidr_plugin.completions.parity import Compared, Tokenizing, difference
from lidr_plugin.completions.requests import Chat, Message
from lidr_plugin.completions.steps import Course
from lidr_plugin.completions.tokens import Encoder, Ids, Sample
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import EngineError
from lidr_plugin.machine import interrupts
from lidr_plugin.machine.environments import python_of
from lidr_plugin.machine.hub import is_path
from lidr_plugin.methods.base import POLICY

_PROMPTS = 3
"""Prompts, in all languages, whose tokens are compared: what differs in one tokenizer shows within a sentence."""
_CHARACTERS = 2000
"""Of a text: tokens of a long one tell no more than those of its beginning."""


def compared(ready: Prepared) -> dict[str, Model]:
    """The run's models, by the identity of their weights; the policy answers only if it is asked with the tokens that it is
    trained with, as far as that can be told here.
    """
    models, policy = ready.models, ready.roles[POLICY]
    models[policy.identity] = checked(policy, ready.config, sample_of(ready))
    return models


def checked(model: Model, config: Config, sample: Sample) -> Model:
    """The model, which answers only if its engine reads the sample as the train environment does, as far as that can be told."""
    trained = trained_by(config)
    if trained is None or not isinstance(model.engine, Tokenizing):
        return model
    allowed = config.train.allow_template_mismatch
    return model._replace(engine=Compared(model.engine, sample, trained, allowed=allowed))


class Parity(NamedTuple):
    """What was found without starting an engine: `problem` are tokens that differ, `skipped` says why none were compared."""

    requests: int
    problem: EngineError | None = None
    skipped: str = ""


def parity_of(ready: Prepared) -> Parity:
    """Compares the environments themselves; a server that runs already is asked."""
    trained, engine, sample = trained_by(ready.config), ready.roles[POLICY].engine, sample_of(ready)
    if trained is None:
        return Parity(0, skipped="there is no train environment, or no such model")
    try:
        return interrupts.run(_compare(engine, sample, trained))
    except EngineError as error:
        return Parity(0, skipped=error.message)


async def _compare(engine: Engine, sample: Sample, trained: Encoder) -> Parity:
    asked = await _tokens(engine, sample, trained)
    if not asked:
        return Parity(0, skipped="the server does not tell its own (vLLM's /tokenize)")
    problem = await difference(sample, trained, asked=asked, trained=await trained.tokens(sample))
    return Parity(len(sample.chats), problem)


async def _tokens(engine: Engine, sample: Sample, trained: Encoder) -> list[Ids]:
    """As a server that runs reads them; of an engine that lidr would start, as its interpreter's transformers does."""
    from lidr_plugin.completions.engines.openai import OpenAI
    from lidr_plugin.completions.engines.replicas import Replicas
    from lidr_plugin.completions.engines.servers import Vllm

    if isinstance(engine, OpenAI):
        return await engine.tokens(sample)
    python = engine.interpreter() if isinstance(engine, Vllm | Replicas) else sys.executable
    return [await trained._replace(python=Path(python)).tokens(sample)]


def trained_by(config: Config) -> Encoder | None:
    """The model's tokenizer as the train environment reads it; None where there is no such environment, or no such model."""
    python = Path(os.path.expanduser(config.train.python)) if config.train.python else python_of("train")
    model = config.model_name_or_path
    if python is None or not os.path.exists(python) or not (is_path(model) or model.count("/") == 1):
        return None
    return Encoder(python, model, config.model_revision, config.trust_remote_code)


def sample_of(ready: Prepared) -> Sample:
    """The first requests of the first prompts, as the policy gets them."""
    return sample_among((request.messages for request in _first_requests(ready)), ready.config)


def sample_among(chats: Iterable[Iterable[Message]], config: Config) -> Sample:
    """These chats, without the ends of long texts."""
    short = (tuple(Message(role, content[:_CHARACTERS]) for role, content in chat) for chat in chats)
    return Sample(tuple(dict.fromkeys(short)), config.generation.thinking)


def _first_requests(ready: Prepared) -> Iterator[Chat]:
    identity = ready.roles[POLICY].identity
    for prompt in islice(ready.prompts, _PROMPTS):
        for _, request in Course(ready.method.steps(prompt, ready.ask)).wanted:
            if isinstance(request, Chat) and request.weights == identity:
                yield request
