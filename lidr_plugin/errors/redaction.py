"""Secrets: by which names they go, and texts without them. Whatever lidr tells, an error above all, passes through here."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

HIDDEN = "***"
_SHORTEST = 8
"""Characters of a secret that is looked for: `none` and `EMPTY`, which servers without a key are given, are none."""

_EVERYWHERE = ("secret", "secrets", "password", "passwd", "passphrase", "passcode", "webhook", "apikey", "jwt")
_PAIRS = frozenset(("api key", "access key", "private key", "access token", "auth token", "refresh token", "hf token"))
_LAST = (
    "token",
    "credential",
    "credentials",
    "authorization",
    "bearer",
    "cookie",
    "pat",
    "pwd",
    "pass",
    "creds",
    "auth",
)
_PLACES = frozenset("file path dir folder env id ids name names type length size limit count".split())
"""Last words of what tells where a secret is, or something about it."""
_NO_KEYS = frozenset(
    "sort primary foreign partition public cache host group id row text record lookup routing dedup map dict json data "
    "column label prompt response query chosen rejected messages image video audio".split()
)
_NO_TOKENS = frozenset(
    "eos bos pad unk mask sep cls image video audio special stop start end begin first last next per max min num new "
    "each any decoder forced".split()
)
"""Words before `token` and `key` where these are no secrets."""

_VALUE = r"""("[^"]*"?|'[^']*'?|[^\s,;&'"}\])]+)"""
_NAMED = (
    re.compile(rf"""(?<![\w.-])()([A-Za-z_][\w.-]*)(=){_VALUE}"""),
    re.compile(rf"""(["'])([\w.-]{{1,80}})(\1\s{{0,4}}:\s{{0,4}}[\[(]?\s{{0,4}}){_VALUE}"""),
    re.compile(r"(?<!\S)(--)([\w.-]{1,80})(\s{1,4})(\S+)"),
)
"""`name=value`, `"name": "value"` and `--name value`."""
_USER = re.compile(r"""(?<=://)[^\s/'"<>]*@""")
_QUERY = re.compile(r"""(?i)([?&](?:x-(?:amz|goog|oss)-)?(?:key|sig|signature)=)[^\s&'"<>]+""")
_HEADER = re.compile(r"(?i)(\bbearer\s{1,4}|\bauthorization\W{1,6}basic\s{1,4})[\w.~+/=-]{8,}")
_SHAPES = re.compile(
    r"(?<![\w-])(?:sk-[\w-]{16,}|hf_[A-Za-z0-9]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|"
    r"xox[abprs]-[\w-]{10,}|gsk_\w{20,}|xai-\w{20,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]+)"
)
"""Keys of well-known services, which need no name to be known."""

_told: set[str] = set()


def remember(secret: str) -> None:
    """Names a secret that nothing but its use tells, such as the value of a variable that the configuration names."""
    _told.add(secret)


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a key, a variable or an option with this name holds a secret: `hub_token`, `WANDB_API_KEY`, `--api-key`."""
    parted = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", name.rpartition(".")[2])
    words = re.findall("[a-z]+", parted.lower())
    if not words or words[-1] in _PLACES or words in (["key"], ["pwd"]):
        return False
    before = words[-2] if len(words) > 1 else ""
    if words[-1] == "key":
        return before not in _NO_KEYS
    last = any(words[-1] == word or (len(word) > 4 and words[-1].endswith(word)) for word in _LAST)
    paired = any(f"{one} {two}" in _PAIRS for one, two in pairwise(words))
    return (last and before not in _NO_TOKENS) or paired or any(word in _EVERYWHERE for word in words)


def secrets_in_use() -> set[str]:
    """The secrets that lidr and its children can know: variables by their names, passwords in addresses, the Hub's token."""
    return {value for value in map(str.strip, _candidates()) if len(value) >= _SHORTEST}


def _candidates() -> Iterator[str]:
    yield from _told
    for name, value in os.environ.items():
        if is_secret_name(name):
            yield value
        elif "://" in value and "@" in value:
            with suppress(ValueError):
                yield unquote(urlsplit(value).password or "")
    # Not `Path.expanduser`, which raises where there is no home.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    named = os.environ.get("HF_TOKEN_PATH") or Path(os.environ.get("HF_HOME") or cache) / "token"
    store = Path(os.path.expanduser(named))
    with suppress(OSError, ValueError):
        if store.is_file() and store.stat().st_size < 4096:
            yield store.read_text()


def redacted(text: str) -> str:
    """The text without secrets: those in use, those in an address, those that a name or their shape tells."""
    for secret in sorted(secrets_in_use(), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return masked(text)


def masked(text: str) -> str:
    """The text without what looks like a secret: by its place in an address or a header, by its name, by its shape."""
    text = _HEADER.sub(rf"\1{HIDDEN}", _QUERY.sub(rf"\1{HIDDEN}", _USER.sub(f"{HIDDEN}@", text)))
    for pattern in _NAMED:
        text = pattern.sub(_without_value, text)
    return _SHAPES.sub(HIDDEN, text)


def _without_value(match: "re.Match[str]") -> str:
    return f"{match[1]}{match[2]}{match[3]}{HIDDEN}" if is_secret_name(match[2]) else match[0]
