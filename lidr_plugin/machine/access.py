"""What a server is reached with: a key, and a proxy or none."""

import os
from urllib.parse import urlsplit

from lidr_plugin.errors import EngineError, InputError
from lidr_plugin.errors.redaction import remember
from lidr_plugin.machine.loopback import is_loopback


def key_of(variable: str) -> str:
    """The key in an environment variable; empty if it is unset.

    Raises:
        InputError: no header can have it.
    """
    key = os.environ.get(variable, "").strip()
    wrong = next((place for place, x in enumerate(key, 1) if not (x.isascii() and x.isprintable())), None)
    if wrong is not None:
        what = "a line break" if key[wrong - 1] in "\r\n" else "what no header can have"
        raise InputError(
            f"{variable} is no key: it has {what} in it (character {wrong})", "export it again, on one line"
        )
    remember(key)
    return key


def proxy_for(url: str) -> str | None:
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
    if is_loopback(parts.hostname) or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme) or getproxies().get("all")
