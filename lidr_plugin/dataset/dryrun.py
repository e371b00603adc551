"""What `lidr build-pairs` would send, asking nothing."""

import asyncio
from dataclasses import dataclass
from typing import Any

from lidr_plugin.completions.client import Model
from lidr_plugin.completions.store import Store
from lidr_plugin.config.file import Loaded
from lidr_plugin.dataset.prepare import Preflight
from lidr_plugin.errors import EngineError
from lidr_plugin.methods import translation
from lidr_plugin.methods.imbalance import Method, Work
from lidr_plugin.prompts.prompt import Prompt
from lidr_plugin.run_directory import RunDirectory


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would send."""

    run: RunDirectory
    prompts: int
    requests: int
    stored: int
    examples: dict[str, Any]
    server_problem: EngineError | None


def dry_run(loaded: Loaded) -> DryRun:
    """Checks everything, asks nothing and writes nothing.

    Raises:
        InputError: as the run itself would. A server that is not there is in the result, for the rest is worth seeing.
    """
    with Preflight(loaded) as ready:
        lanes = ready.lanes()
        examples = _examples(next(iter(ready.prompts)), ready.method)
        stored = 0
        if ready.run.store.exists():
            with Store(ready.run.store, read_only=True) as store:
                stored = len(store)
        problem = None
        try:
            asyncio.run(_check_servers(lanes))
        except EngineError as error:
            problem = error
        return DryRun(
            run=ready.run,
            prompts=len(ready.prompts),
            requests=ready.requests_at_most(),
            stored=stored,
            examples=examples,
            server_problem=problem,
        )


async def _check_servers(lanes: dict[str, Model]) -> None:
    """Asks servers that run already what they serve; starts none."""
    from lidr_plugin.completions.engines.openai import OpenAI

    for lane in lanes.values():
        if isinstance(lane.engine, OpenAI):
            await lane.engine.check()


def _examples(prompt: Prompt, method: Method) -> dict[str, Any]:
    """One rendered request of each kind."""
    language = method.languages[0] if method.languages[0] in prompt.texts else method.dominant
    sent = Work(prompt, method).prompt_in(language)
    text = getattr(sent, "joined", "")
    response = translation.response_request(
        text, weights=method.weights, sampling=method.response, system=method.system, row=f"{prompt.id} [{language}]"
    )
    translated = translation.translation_request(
        "(the response)",
        method.languages[0],
        weights=method.translator,
        sampling=method.translation,
        template=method.template,
        attempt=0,
        row=f"{prompt.id} [{method.dominant}->{method.languages[0]}]",
    )
    return {"response": response, "translation": translated}
