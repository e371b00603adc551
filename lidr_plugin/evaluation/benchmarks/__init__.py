"""The benchmarks, one file each."""

from collections.abc import Sequence

from lidr_plugin.config.schema import Config
from lidr_plugin.evaluation.benchmarks.base import Benchmark
from lidr_plugin.evaluation.benchmarks.mgsm import Mgsm
from lidr_plugin.evaluation.benchmarks.prompts import Prompts
from lidr_plugin.text.language import Identification

BENCHMARKS = (Mgsm, Prompts)
"""In the order in which they are asked and shown."""


def benchmarks_of(config: Config, identification: Identification) -> Sequence[Benchmark]:
    """Those that a configuration wants."""
    return [found for benchmark in BENCHMARKS if (found := benchmark.of(config, identification))]
