"""The benchmarks, one file each."""

from collections.abc import Iterable, Mapping, Sequence

from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.benchmarks.base import Benchmark
from lidr_plugin.evaluation.benchmarks.mgsm import Mgsm
from lidr_plugin.evaluation.benchmarks.prompts import Prompts
from lidr_plugin.evaluation.benchmarks.skills import Skill
from lidr_plugin.text.language import Identification

BENCHMARKS = (Mgsm, Prompts)
"""In the order in which they are asked and shown; the user's own skills follow."""


def benchmarks_of(config: Config, identification: Identification) -> Sequence[Benchmark]:
    """Those that a configuration wants."""
    shipped = [found for benchmark in BENCHMARKS if (found := benchmark.of(config, identification))]
    return [*shipped, *Skill.all_of(config, identification)]


def heads_of(skills: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """The heads of every benchmark's marks, by its name: lidr's own, then the user's skills."""
    return {**{x.name: x.heads for x in BENCHMARKS}, **dict.fromkeys(skills, Skill.heads)}
