"""The model that a server had when it was opened: what another answers later is not stored as that one's."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from lidr_plugin.errors import EngineError
from lidr_plugin.errors.terminal import one_line

Listing: TypeAlias = Mapping[str, Mapping[str, Any]]
"""By name, what `/v1/models` says of each model."""

_TELLING = ("root", "parent", "max_model_len")
"""What tells a model from another under the same name, where a server says it; `created` differs each time."""
_SURE_SECONDS = 10.0
"""How long the list of models is believed while no connection is new: a swap of the model behind open connections is rare."""


class SettledModel:
    """What is known of the model since the start.

    Args:
        url: of the server, for messages.
        name: under which it is asked for.
        listing: what the server serves at the start.
        names: as what it answered until now; a vendor's alias is answered by the model's whole name.
    """

    def __init__(self, url: str, name: str, listing: Listing, names: frozenset[str]) -> None:
        self._url = url
        self._name = name
        self._entry = _telling(listing.get(name, {}))
        self._names = names | {name}
        self._looking = asyncio.Lock()
        self._looked = time.monotonic()

    def check(self, answer: Any) -> None:
        """Raises `EngineError` if an answer says that it is another model's."""
        name = answer.get("model") if isinstance(answer, dict) else None
        if isinstance(name, str) and name not in self._names:
            before = ", ".join(sorted(map(one_line, self._names)))
            raise self._changed(f"it answers as {one_line(name)!r}, and was {before} at the start")

    async def confirm(self, listing: Callable[[], Awaitable[Listing]], *, doubted: bool) -> None:
        """Looks again at what is served, if that was long ago or there is doubt; one look serves all who came before it.

        Args:
            doubted: someone else may be at the other end, as after a new connection.

        Raises:
            EngineError: it is not what it was.
        """
        now = time.monotonic()
        if not doubted and now - self._looked < _SURE_SECONDS:
            return
        async with self._looking:
            if self._looked > now:
                return
            begun = time.monotonic()
            served = await listing()
            if self._name not in served:
                names = ", ".join(map(one_line, served)) or "nothing"
                raise self._changed(f"it no longer serves {one_line(self._name)!r}; it serves: {names}")
            new, old = _telling(served[self._name]), self._entry
            other = [f"{key} {old[key]!r} is now {new[key]!r}" for key in new if new[key] != old[key]]
            if other:
                raise self._changed(f"{one_line(self._name)!r} is another: {one_line(', '.join(other))}")
            self._looked = begun  # not before: whoever waits must find out too

    def _changed(self, what: str) -> EngineError:
        return EngineError(
            f"{self._url}: the server changed its model during the run: {what}",
            "what is stored is the first model's; serve that again and the same command goes on, or set output_dir and "
            "engine.model for the other",
        )


def _telling(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: entry.get(key) for key in _TELLING}
