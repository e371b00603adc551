"""Secrets in a configuration, which is written to files: refused, with the environment variable to use instead."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from lidr_plugin.errors.redaction import HIDDEN, is_secret_name, masked, redacted, secrets_in_use

KeyPath: TypeAlias = tuple[str, ...]

_HUB = "HF_TOKEN (or log in once: hf auth login)"
_VARIABLES = {
    "hf_token": _HUB,
    "hub_token": _HUB,
    "hf_hub_token": _HUB,
    "push_to_hub_token": _HUB,
    "use_auth_token": _HUB,
    "token": _HUB,
    "ms_hub_token": "MODELSCOPE_API_TOKEN (or log in once: modelscope login)",
    "swanlab_api_key": "SWANLAB_API_KEY",
    "wandb_api_key": "WANDB_API_KEY",
}
"""The variable that is read in place of a key, by LLaMA-Factory's, vLLM's and lm-eval's libraries."""
_WITHOUT = ("swanlab_lark_secret", "swanlab_lark_webhook_url", "om_hub_token")
"""LLaMA-Factory's keys that have no variable."""
_FREE = (("system",), ("template",), ("prompt_template",))
"""Keys whose texts are for the model: what looks like a secret there may be its subject."""


class Secret(NamedTuple):
    """A value that is a secret or holds one, and what to do instead."""

    key: KeyPath
    advice: str


def secrets_in(value: Any, key: KeyPath = ()) -> Iterator[Secret]:
    """The secrets among the raw values of a configuration, by the names of their keys and by what the values hold."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            inner = (*key, str(name))
            if is_secret_name(str(name)) and _is_filled(item):
                yield Secret(inner, _advice(inner))
            else:
                yield from secrets_in(item, inner)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from secrets_in(item, (*key, str(number)))
    elif isinstance(value, str) and _holds_secret(value, key):
        yield Secret(key, _advice(key))


def without_secrets(values: Mapping[str, Any]) -> dict[str, Any]:
    """What an older lidr wrote down, with its secrets hidden."""
    found = {secret.key for secret in secrets_in(values)}

    def shown(value: Any, key: KeyPath) -> Any:
        if key in found:
            return HIDDEN
        if isinstance(value, Mapping):
            return {name: shown(item, (*key, str(name))) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [shown(item, (*key, str(number))) for number, item in enumerate(value)]
        return value

    return {name: shown(value, (name,)) for name, value in values.items()}


def is_a_word(secret: str) -> bool:
    """Whether it is more likely what servers without a key are given (`not-needed`, `lm-studio`), or an option's value."""
    return re.fullmatch("[a-z_-]{1,20}", secret) is not None


def mentions_secret(argument: str) -> bool:
    """Whether a `KEY=VALUE` has or may have a secret in it, whether or not it can be read."""
    names = re.findall(r"(?<![\w.-])[\w.-]{1,80}(?=['\"]?\s{0,4}[:=])", argument)
    return any(map(is_secret_name, names)) or redacted(argument) != argument


def _is_filled(value: Any) -> bool:
    if isinstance(value, Mapping | list | tuple):
        return any(map(_is_filled, value.values() if isinstance(value, Mapping) else value))
    return (
        bool(value) and not isinstance(value, bool | float) and len(str(value)) > (0 if isinstance(value, str) else 5)
    )


def _holds_secret(text: str, key: KeyPath) -> bool:
    if key[-1:] == ("api_key_env",):
        return not _names_variable(text)
    known = any(secret in text for secret in secrets_in_use() if not is_a_word(secret))
    return known or (key[-1:] not in _FREE and masked(text) != text)


def _names_variable(text: str) -> bool:
    """Whether it is the name of a variable, and not the key itself, which is long and mixed."""
    if not re.fullmatch(r"[A-Za-z_]\w*", text, re.ASCII) or redacted(text) != text:
        return False
    mixed = any(map(str.islower, text)) and any(map(str.isdigit, text))
    return text in os.environ or not (mixed and len(text) >= 20)


def _advice(key: KeyPath) -> str:
    """What to do about the secret at a key."""
    name, section = re.sub("(?<=[a-z])(?=[A-Z])", "_", key[-1].replace("-", "_")), key[:-1]
    if name == "api_key_env":
        return "takes the name of the environment variable that holds the key, not the key itself"
    if "base_url" in key:
        return "credentials do not belong in the address: export the key and name its variable in api_key_env"
    if name in _WITHOUT:
        return "secrets are written to no file, and no environment variable is read for this one: leave it out"
    if "env" in section:
        return f"secrets come from lidr's own environment, which what it starts inherits: export {name}"
    if (short := name.lower()) == "api_key" and section[-1:] == ("args",):
        instead = "VLLM_API_KEY"
    elif short == "api_key" and "lm_eval" in section:
        instead = "OPENAI_API_KEY"
    elif short == "api_key":
        instead = f"OPENAI_API_KEY, or name another variable in {'.'.join((*section, 'api_key_env'))}"
    else:
        instead = _VARIABLES.get(short, "")
    if instead:
        return f"secrets come from the environment: export {instead}"
    return "secrets come from the environment, which what lidr starts inherits: export it there, and leave it out here"
