"""Which files hold the prompts of a run."""

from itertools import count, takewhile
from pathlib import Path

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.machine.sources import Source, found, is_address
from lidr_plugin.prompts.places import Mixed

_NUMBERED = ("{shard}", "{shard:05}")


def is_numbered(config: Config) -> bool:
    """Whether every shard has prompt files of its own."""
    return any(mark in config.prompts for mark in _NUMBERED)


def prompt_files(config: Config, shard: int | None = None) -> dict[str, list[Source]]:
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


def _of(config: Config, prompts: str, key: str, shard: int | None) -> dict[str, list[Source]]:
    patterns = {code: _pattern(config, code, prompts) for code in config.codes}
    there = {code: _files(pattern, shard) for code, pattern in patterns.items()}
    absent = [code for code, paths in there.items() if not paths]
    if absent and (not config.translate_prompts or config.dominant_language in absent):
        problems = [f"{key}: {_numbered(patterns[code], shard)}: no such file ({code})" for code in absent]
        hint = "put the files there; or have the model translate the others first: the same command with translate_prompts=true"
        raise InputError.of(problems, "the prompt files", hint)
    return {code: paths for code, paths in there.items() if paths}


def _pattern(config: Config, code: str, prompts: str) -> Source:
    return prompts.replace("{language}", code) if is_address(prompts) else config.prompt_path(code, prompts)


def _files(pattern: Source, shard: int | None) -> list[Source]:
    if shard is None and any(mark in str(pattern) for mark in _NUMBERED):
        numbered = takewhile(bool, (found(_numbered(pattern, number)) for number in count()))
        return [path for paths in numbered for path in paths]
    return found(_numbered(pattern, shard))


def _numbered(pattern: Source, shard: int | None) -> Source:
    number = shard or 0
    name = str(pattern).replace("{shard}", str(number)).replace("{shard:05}", f"{number:05}")
    return Path(name) if isinstance(pattern, Path) else name
