"""Which files hold the prompts of a run."""

import os
from itertools import count, takewhile
from pathlib import Path

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.prompts.places import Mixed

_NUMBERED = ("{shard}", "{shard:05}")


def is_numbered(config: Config) -> bool:
    """Whether every shard has prompt files of its own."""
    return any(mark in config.prompts for mark in _NUMBERED)


def prompt_files(config: Config, shard: int | None = None) -> dict[str, list[Path]]:
    """By language, the prompt files in their order; of one shard alone where its number is given.

    Raises:
        InputError: a language has none, and its prompts are not to be translated.
    """
    return _of(config, config.prompts, "prompts", shard)


def mixed(config: Config) -> list[Mixed]:
    """What `mix_in` puts behind the prompts of a run.

    Raises:
        InputError: as `prompt_files`.
    """
    own = 1 - sum(entry.share for entry in config.mix_in)
    return [
        Mixed(x.name, _of(config, x.prompts, f"mix_in: {x.name}", None), x.skip_prompts, x.share / own)
        for x in config.mix_in
    ]


def _of(config: Config, prompts: str, key: str, shard: int | None) -> dict[str, list[Path]]:
    patterns = {code: config.prompt_path(code, prompts) for code in config.codes}
    found = {code: _files(path, shard) for code, path in patterns.items()}
    absent = [code for code, paths in found.items() if not paths]
    if absent and (not config.translate_prompts or config.dominant_language in absent):
        problems = [f"{key}: {_numbered(patterns[code], shard)}: no such file ({code})" for code in absent]
        hint = "translate_prompts: true has the model translate the prompts of languages without a file"
        raise InputError.of(problems, "the prompt files", hint)
    return {code: paths for code, paths in found.items() if paths}


def _files(pattern: Path, shard: int | None) -> list[Path]:
    if shard is None and any(mark in str(pattern) for mark in _NUMBERED):
        return list(takewhile(os.path.isfile, (_numbered(pattern, number) for number in count())))
    path = _numbered(pattern, shard)
    return [path] if os.path.isfile(path) else []


def _numbered(pattern: Path, shard: int | None) -> Path:
    number = shard or 0
    return Path(str(pattern).replace("{shard}", str(number)).replace("{shard:05}", f"{number:05}"))
