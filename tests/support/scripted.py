"""One prompt's way through a method, each of its requests answered by the test."""

import random
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lidr_plugin import languages
from lidr_plugin.completions.client import Model
from lidr_plugin.completions.requests import Chat, Completion, Failure
from lidr_plugin.completions.steps import Course
from lidr_plugin.config.schema import Config
from lidr_plugin.methods import method_of
from lidr_plugin.methods.base import Ask, Outcome
from lidr_plugin.methods.filters import filters_of
from lidr_plugin.prompts.prompt import Prompt
from tests.support.fake import Fake

Reply = Callable[[Chat], Completion | Failure]


class Taken(NamedTuple):
    """What came of a prompt, and what was asked for it."""

    outcome: Outcome
    asked: list[Chat]


def config_of(**values: object) -> Config:
    """A configuration in memory: English and German, unless the values say otherwise."""
    needed = {"model_name_or_path": "m", "languages": ["de"], "prompts": "{language}.jsonl"}
    return Config.model_validate({**needed, **values})


def by_text(answers: Mapping[str, str], translations: Mapping[tuple[str, str], str] | None = None) -> Reply:
    """Answers prompts by their text, and requests for translations by text and language."""

    def reply(request: Chat) -> Completion | Failure:
        words = request.messages[-1].content
        if request.prefill:
            text = re.findall(r"<sentence>\n(.*?)\n</sentence>", words, re.DOTALL)[-1]
            target = next(code for code in ("en", "de", "es") if f"into {languages.name_of(code)}" in words)
            known = (translations or {}).get((text, target), "(the request, translated)")
            said = f"{known}\n</translated>"
            return Completion(said, "stop", 1, 1, prefilled=True)
        found = answers[words]
        return Completion(found, "stop", 1, 1) if found != "(fails)" else Failure("no")

    return reply


def run(
    config: Config, prompt: Prompt, reply: Reply, *, translator: str = "m", order: random.Random | None = None
) -> Taken:
    """Takes the prompt through the configuration's method; `order` shuffles the answers."""
    roles = {
        role: Model(Fake(lambda _: None), 1, 0, identity)
        for role, identity in {"policy": "m", "translator": translator}.items()
    }
    ask = Ask.of(roles)
    asked: list[Chat] = []
    course = Course(method_of(config, filters_of(config), roles).steps(prompt, ask))
    while course.wanted:
        wanted, course.wanted = course.wanted, []
        if order:
            order.shuffle(wanted)
        for branch, request in wanted:
            asked.append(request)
            course.answer(branch, reply(request))
    assert course.finished
    return Taken(course.result, asked)
