"""The first prompts of a run, to their rows: what `lidr build-pairs --preview` shows. Nothing is written but completions."""

from itertools import islice

from lidr_plugin.completions.client import Client
from lidr_plugin.completions.progress import Display, Meter, kept_up
from lidr_plugin.completions.runner import run
from lidr_plugin.completions.store import Store
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.parity import compared
from lidr_plugin.dataset.prepare import Prepared
from lidr_plugin.errors import InputError
from lidr_plugin.machine import interrupts
from lidr_plugin.methods.base import Method, Outcome


def preview(config: Config, prompts: int, *, method: Method | None = None) -> list[Outcome]:
    """See `lidr_plugin.preview`."""
    if prompts < 1:
        raise InputError(f"--preview {prompts}: no prompt is asked for", "--preview 3")
    with Prepared(config, method=method) as ready:
        new = not ready.run.path.exists()
        try:
            with ready.run.at_work("every finished completion is kept"), Store(ready.run.store) as store:
                return interrupts.run(_outcomes(ready, store, prompts))
        finally:
            if new:
                _remove_empty(ready)


async def _outcomes(ready: Prepared, store: Store, prompts: int) -> list[Outcome]:
    wanted, meter, found = min(prompts, len(ready.prompts)), Meter(), list[Outcome]()
    requests = ready.method.requests_at_most(wanted)
    client = Client(store, compared(ready), meter)
    steps = (ready.method.steps(prompt, ready.ask) for prompt in islice(ready.prompts, wanted))
    concurrency = sum(model.concurrency for model in ready.models.values())
    try:
        with Display("preview", meter, wanted, requests) as display:
            async with kept_up(lambda: display.update(len(found))):
                await run(steps, client, lambda outcome: found.append(ready.marks.honour(outcome)), concurrency)
    finally:
        await client.close()
    return found


def _remove_empty(ready: Prepared) -> None:
    """Of a server that was not there not even a store is left."""
    path = ready.run.store
    if path.parent != ready.run.path:
        return
    if path.is_file():
        with Store(path, read_only=True) as store:
            if len(store) or store.scores:
                return
        path.unlink()
    if ready.run.path.is_dir() and not {x.name for x in ready.run.path.iterdir()} - {".lock"}:
        (ready.run.path / ".lock").unlink(missing_ok=True)
        ready.run.path.rmdir()
