"""An engine whose samples a test writes down, and a run of `method: rank` with it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lidr_plugin as lidr
from lidr_plugin.completions.steps import Course
from lidr_plugin.dataset.prepare import Prepared
from tests.conftest import write_prompts

CUT = "<cut>"
"""At the end of an answer: it stopped at `max_tokens`."""


class Samples:
    """Answers a prompt in a language with its n-th sample; translates by looking it up.

    Attributes:
        answers: by language the samples of the prompts, which end with their number; the greedy answer is under `greedy`.
        translations: by a text and the English name of a language.
        asked: all requests, in order.
    """

    identity = "samples-1"

    def __init__(
        self,
        answers: Mapping[str, Sequence[str]],
        *,
        greedy: Mapping[str, str] | None = None,
        translations: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.answers = answers
        self.greedy = greedy or {}
        self.translations = translations or {}
        self.asked: list[lidr.Chat] = []

    async def __aenter__(self) -> "Samples":
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def complete(self, request: lidr.Chat) -> lidr.Completion:
        self.asked.append(request)
        return self.answer(request)

    def answer(self, request: lidr.Chat) -> lidr.Completion:
        """The answer to a request, without noting it."""
        user = request.messages[-1].content
        if request.prefill:
            found = re.search(r"into (\w+)\..*<sentence>\n(.*)\n</sentence>", user, re.DOTALL)
            assert found
            text = self.translations[found[2], found[1]] + "\n</translated>"
            return lidr.Completion(text, "stop", 1, 1, True)
        code = user[1:3]
        text = self.greedy[code] if not request.sampling.temperature else self.answers[code][request.sample]
        return lidr.Completion(text.removesuffix(CUT), "length" if text.endswith(CUT) else "stop", 1, 1)


OFF = {"off_target": False, "mixed_script": False, "repetition": False, "length_ratio": False, "fidelity": False}
"""Filters, for answers that are a number and nothing else."""


def config_of(folder: Path, languages: Sequence[str], rank: Mapping[str, Any], **changes: Any) -> lidr.Config:
    """One prompt in English and these languages, and the configuration for it."""
    extra = changes.pop("extra", {})
    rows = changes.pop("rows", [{code: f"[{code}] How many apples?" for code in ("en", *languages)}])
    write_prompts(folder, rows, **extra)
    values = {
        "model_name_or_path": "mine",
        "template": "qwen",
        "languages": list(languages),
        "prompts": str(folder / "prompts/{language}.jsonl"),
        "output_dir": str(folder / "run"),
        "method": "rank",
        "rank": rank,
        "filters": OFF,
        **changes,
    }
    return lidr.configure(**values)


def outcomes(config: lidr.Config, engine: Samples, order: Any = None) -> list[lidr.Outcome]:
    """What the method makes of each prompt, driven without a runner; `order` shuffles the requests that are open."""
    with Prepared(config, engine=engine) as ready:
        found = []
        for prompt in ready.prompts:
            course = Course(ready.method.steps(prompt, ready.ask))
            open_requests = list(course.wanted)
            course.wanted = []
            while open_requests:
                if order:
                    order.shuffle(open_requests)
                branch, request = open_requests.pop()
                course.answer(branch, engine.answer(request))
                open_requests += course.wanted
                course.wanted = []
            found.append(course.result)
        return found
