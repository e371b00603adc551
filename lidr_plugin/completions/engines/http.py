"""One OpenAI-compatible server over HTTP: a try of a request, and when another may help."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, TypeVar

import orjson

from lidr_plugin.completions.engines.served import Listing, SettledModel
from lidr_plugin.completions.engines.words import own_words, words_of
from lidr_plugin.errors import EngineError
from lidr_plugin.errors.redaction import HIDDEN
from lidr_plugin.machine.access import key_of, proxy_for
from lidr_plugin.machine.secrets import is_a_word

# Imported by what uses them: a run whose answers are all in the store need not wait for them.
if TYPE_CHECKING:
    import aiohttp

_Result = TypeVar("_Result")

_MODELS_SECONDS = 30.0
"""A list of models is there at once; a server that takes longer is not well."""

_KEEP_SECONDS = 4.0
"""How long an idle connection is kept: uvicorn, under vLLM and most others, closes its end after 5 seconds."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
"""Seconds between tries, doubled each time: a connection is back at once, a server that starts again in a minute."""

_PASSING = (408, 409, 429)
"""Refusals that may pass, beside all of the server's own failures."""

_SHORTEST_KEY = 8
"""Characters of a key that is looked for in answers: a shorter one is found in too much else."""

_LONGEST_RETRY_AFTER = 600.0
"""Seconds: a server that wants a longer pause than this is asked again all the same."""


class Refused(Exception):
    """A status that no further try will change; `text` is the server's own words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"the server refused it ({status}): {text}")
        self.status = status
        self.text = text


class Passing(Exception):
    """A failure that may pass; `wait` is what the server asked for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class _Connected:
    """Whether a request made a connection of its own."""

    new = False


_request: ContextVar[_Connected] = ContextVar("_request")
"""Of the task, and of those that it starts to connect."""


def _socket(family: int, kind: int, protocol: int) -> socket.socket:
    _request.get(_Connected()).new = True
    return socket.socket(family, kind, protocol)


class Server:
    """A server's connections, inside of `async with`. How many requests it has at once is for the caller to bound.

    Once the model is settled, an answer that is, or may be, another model's is none (`completions.engines.served`).

    Args:
        url: its address, up to and with `/v1`.
        key_env: the environment variable with the key, which is sent as a bearer token; none is sent if it is unset.
        timeout: seconds for one try, from the connection to the last byte.

    Raises:
        InputError: the key cannot be one.
    """

    def __init__(self, url: str, *, key_env: str, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.busy = 0
        self.heard = 0.0  # when its last answer came, whatever it was, by time.monotonic()
        self.key_env = key_env
        self._key = key_of(key_env)
        self._timeout = timeout
        self._names: set[str] = set()
        self._model: SettledModel | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def key_remedy(self) -> str:
        """What helps where the server wants another key, or one at all."""
        refused = f"the key in {self.key_env} is not taken here: is it this server's, and whole?"
        return refused if self._key else f"export the key as {self.key_env}"

    async def __aenter__(self) -> Self:
        """Raises `EngineError` if the address cannot be one; no connection is made yet."""
        import aiohttp

        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, keepalive_timeout=_KEEP_SECONDS, socket_factory=lambda address: _socket(*address[:3])
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            json_serialize_bytes=orjson.dumps,
            proxy=proxy_for(self.url),
            timeout=aiohttp.ClientTimeout(self._timeout, sock_connect=min(_MODELS_SECONDS, self._timeout)),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _root(self) -> str:
        return self.url.removesuffix("/v1")

    def apart(self) -> Server:
        """The same server, for connections of their own."""
        return Server(self.url, key_env=self.key_env, timeout=self._timeout)

    async def models(self) -> Mapping[str, int | None]:
        """The models that it serves, each with its context in tokens where the server says it.

        Raises:
            EngineError: it does not answer, or not with a list of models.
        """
        return {name: entry.get("max_model_len") for name, entry in (await self._listing()).items()}

    async def settle(self, model: str) -> None:
        """From now on a change of the model is an error; until now the server was only tried. Raises as `models` does."""
        self._model = SettledModel(self.url, model, await self._listing(), frozenset(self._names))

    async def _listing(self) -> Listing:
        import aiohttp

        assert self._session is not None
        timeout = aiohttp.ClientTimeout(min(_MODELS_SECONDS, self._timeout))
        try:
            async with self._session.get(f"{self.url}/models", timeout=timeout, allow_redirects=False) as answer:
                content = self._without_key(await answer.read())
                if answer.status != 200:
                    raise Refused(answer.status, own_words(content))
                return {str(item["id"]): dict(item) for item in orjson.loads(content)["data"]}
        except Refused as error:
            hint = self.key_remedy if error.status in (401, 403) else "does the address end in /v1?"
            words = f": {error.text}" if error.text else ""
            raise EngineError(f"{self.url}/models answered {error.status}{words}", hint) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be
            raise EngineError(
                f"no server answers at {self.url} ({str(error) or type(error).__name__})",
                "start one (`vllm serve MODEL --port 8000`), or set engine.base_url to the address of one; without a base_url "
                "lidr starts vLLM itself (`lidr env create vllm`)",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            words = f": {said}" if (said := own_words(content)) else ""
            raise EngineError(f"{self.url}/models: the answer is no list of models{words}", "is it /v1?") from None

    async def chat(self, body: Mapping[str, Any]) -> Any:
        """The JSON that it answers a chat request with. Raises as `post` does."""
        return await self.post("/v1/chat/completions", body)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that it answers a request with.

        Args:
            path: from the server's root; `/v1` is where `url` has it.

        Raises:
            Refused: with a status that is final, or with an error in an answer of 200.
            Passing: it did not answer in time, or not with 200, or not with JSON.
            EngineError: the model is not the one that was settled.
        """
        import aiohttp

        assert self._session is not None
        address = self.url + path.removeprefix("/v1") if path.startswith("/v1/") else self._root + path
        connected = _Connected()
        _request.set(connected)
        try:
            # A redirect would make a GET of the request, or carry the key elsewhere.
            async with self._session.post(address, json=body, allow_redirects=False) as answer:
                content = self._without_key(await answer.read())
                self.heard = time.monotonic()
        except TimeoutError:
            raise Passing(f"{self.url}: no answer in {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Passing(f"{self.url}: the connection failed ({str(error) or type(error).__name__})") from None
        if answer.status in _PASSING or answer.status >= 500:
            wait = retry_after(answer.headers.get("retry-after"))
            words = f": {said}" if (said := own_words(content)) else ""
            raise Passing(f"{self.url}: the server answered {answer.status}{words}", wait)
        if answer.status != 200:
            if answer.status == 404:  # no such address, or no such model any more
                await self._confirm(doubted=True)
            raise Refused(answer.status, own_words(content))
        try:
            found = orjson.loads(content)
        except ValueError:
            raise Passing(f"{self.url}: the answer is not JSON") from None
        _check_no_error(found, self.url)
        if self._model:
            self._model.check(found)
            # A server that was started again has no old connections.
            await self._confirm(doubted=connected.new)
        elif isinstance(found, dict) and isinstance(found.get("model"), str):
            self._names.add(found["model"])
        return found

    async def tokens(self, body: Mapping[str, Any]) -> list[int] | None:
        """The tokens of a text or a chat, by the `/tokenize` that vLLM has beside `/v1`; None where there is none."""
        import aiohttp

        assert self._session is not None
        url, timeout = f"{self._root}/tokenize", aiohttp.ClientTimeout(_MODELS_SECONDS)
        try:
            async with self._session.post(url, json=body, timeout=timeout, allow_redirects=False) as answer:
                found = orjson.loads(await answer.read())["tokens"] if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return None
        told = isinstance(found, list) and all(isinstance(token, int) for token in found)
        return found if told else None

    async def _confirm(self, *, doubted: bool) -> None:
        if self._model:
            await self._model.confirm(self._listing_again, doubted=doubted)

    async def _listing_again(self) -> Listing:
        try:
            return await self._listing()
        except EngineError as error:  # in the middle of a run it may pass
            raise Passing(error.message) from None

    def _without_key(self, content: bytes) -> bytes:
        """What a server repeats of the key is neither shown nor stored."""
        key = self._key.encode()
        return content if len(key) < _SHORTEST_KEY or is_a_word(self._key) else content.replace(key, HIDDEN.encode())


async def retried(send: Callable[[], Awaitable[_Result]], retries: int) -> _Result:
    """Sends again, after a pause, what failed in passing; the last failure says how many tries there were."""
    for attempt in range(retries + 1):
        try:
            return await send()
        except Passing as error:
            if attempt == retries:
                raise Passing(f"{error} ({'1 try' if attempt == 0 else f'{attempt + 1} tries'})") from None
            pause = error.wait
        if pause is None:
            # At random, so that those that failed together do not come back together.
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(attempt, 8)) * random.uniform(0.5, 1.0)
        await asyncio.sleep(pause)
    raise AssertionError("unreachable")


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which has a number or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        import email.utils

        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)


def _check_no_error(found: Any, url: str) -> None:
    """Raises what an answer of 200 with an error in it is: `Refused` if its own code is final, else `Passing`."""
    if not isinstance(found, dict) or (found.get("choices") and not found.get("error")):
        return
    if not (found.get("error") or found.get("detail") or found.get("object") == "error"):
        return
    error = found.get("error")
    code = error.get("code") if isinstance(error, dict) else found.get("code")
    words = words_of(found)
    if isinstance(code, int) and 400 <= code < 500 and code not in _PASSING:
        raise Refused(code, words)
    raise Passing(f"{url}: the server answered 200 with an error: {words}")
