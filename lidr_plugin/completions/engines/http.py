"""One OpenAI-compatible server over HTTP: a try of a request, and when another may help."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urlsplit

import orjson

from lidr_plugin.errors import EngineError

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


class Server:
    """A server's connections, inside of `async with`. How many requests it has at once is for the caller to bound.

    Args:
        url: its address, up to and with `/v1`.
        key_env: the environment variable with the key, which is sent as a bearer token; none is sent if it is unset.
        timeout: seconds for one try, from the connection to the last byte.
    """

    def __init__(self, url: str, *, key_env: str, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.busy = 0
        self.heard = 0.0  # when its last answer came, whatever it was, by time.monotonic()
        self.key_env = key_env
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Raises `EngineError` if the address or the key cannot be one; no connection is made yet."""
        import aiohttp

        key = os.environ.get(self.key_env, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise EngineError(f"{self.key_env} is no key: it has characters that a header cannot have")
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            json_serialize_bytes=orjson.dumps,
            proxy=_proxy_for(self.url),
            timeout=aiohttp.ClientTimeout(self._timeout, sock_connect=min(_MODELS_SECONDS, self._timeout)),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    def apart(self) -> Server:
        """The same server, for connections of their own."""
        return Server(self.url, key_env=self.key_env, timeout=self._timeout)

    async def models(self) -> Mapping[str, int | None]:
        """The models that it serves, each with its context in tokens where the server says it.

        Raises:
            EngineError: it does not answer, or not with a list of models.
        """
        import aiohttp

        assert self._session is not None
        timeout = aiohttp.ClientTimeout(min(_MODELS_SECONDS, self._timeout))
        try:
            async with self._session.get(f"{self.url}/models", timeout=timeout, allow_redirects=False) as answer:
                if answer.status != 200:
                    raise Refused(answer.status, "")
                return {
                    str(item["id"]): item.get("max_model_len") for item in orjson.loads(await answer.read())["data"]
                }
        except Refused as error:
            hint = "does the address end in /v1?"
            if error.status in (401, 403):
                hint = f"export the key as {self.key_env}"
            raise EngineError(f"{self.url}/models answered {error.status}", hint) from None
        except (aiohttp.ClientError, OSError, UnicodeError) as error:  # UnicodeError: a host name that cannot be
            raise EngineError(
                f"no server answers at {self.url} ({str(error) or type(error).__name__})",
                "start one (`vllm serve MODEL --port 8000`), or set engine.base_url",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise EngineError(f"{self.url}/models: the answer is no list of models", "is it /v1?") from None

    async def chat(self, body: Mapping[str, Any]) -> Any:
        """The JSON that it answers a chat request with.

        Raises:
            Refused: with a status that is final.
            Passing: it did not answer in time, or not with 200, or not with JSON.
        """
        import aiohttp

        assert self._session is not None
        try:
            # A redirect would make a GET of the request, or carry the key elsewhere.
            async with self._session.post(f"{self.url}/chat/completions", json=body, allow_redirects=False) as answer:
                content = await answer.read()
                self.heard = time.monotonic()
        except TimeoutError:
            raise Passing(f"{self.url}: no answer in {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Passing(f"{self.url}: the connection failed ({str(error) or type(error).__name__})") from None
        if answer.status in (408, 409, 429) or answer.status >= 500:
            wait = retry_after(answer.headers.get("retry-after"))
            raise Passing(f"{self.url}: the server answered {answer.status}", wait)
        if answer.status != 200:
            raise Refused(answer.status, _own_words(content))
        try:
            return orjson.loads(content)
        except ValueError:
            raise Passing(f"{self.url}: the answer is not JSON") from None

    async def tokens(self, body: Mapping[str, Any]) -> list[int] | None:
        """The tokens of a text or a chat, by the `/tokenize` that vLLM has beside `/v1`; None where there is none."""
        import aiohttp

        assert self._session is not None
        url, timeout = f"{self.url.removesuffix('/v1')}/tokenize", aiohttp.ClientTimeout(_MODELS_SECONDS)
        try:
            async with self._session.post(url, json=body, timeout=timeout, allow_redirects=False) as answer:
                found = orjson.loads(await answer.read())["tokens"] if answer.status == 200 else None
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError):
            return None
        told = isinstance(found, list) and all(isinstance(token, int) for token in found)
        return found if told else None


def _proxy_for(url: str) -> str | None:
    """The proxy that the environment names (HTTPS_PROXY, NO_PROXY, …); none for this machine's own servers.

    aiohttp can look for it too (`trust_env`), but does it again for each request, in two threads.
    """
    from urllib.request import getproxies, proxy_bypass

    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EngineError(f"{url!r} is no address of a server", "engine.base_url is like http://127.0.0.1:8000/v1")
    if parts.username:
        raise EngineError(
            "engine.base_url: a name and a password do not belong in an address", "see engine.api_key_env"
        )
    if parts.hostname in ("127.0.0.1", "::1", "localhost") or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme) or getproxies().get("all")


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
        except ValueError:
            return None
    return min(max(0.0, seconds), _LONGEST_RETRY_AFTER)


def _own_words(content: bytes) -> str:
    """What a server says of an error, on one line."""
    try:
        data = orjson.loads(content)
        error = data.get("error", data)
        text = error.get("message", error) if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        text = content.decode(errors="replace")
    return " ".join(str(text).split())[:500]
