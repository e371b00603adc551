"""How fast a configuration's engine writes, as far as that is known before it is asked."""

from collections.abc import Sequence

from lidr_plugin.completions.engines.base import backend_of
from lidr_plugin.config.schema import Config
from lidr_plugin.dataset.estimate import Speed
from lidr_plugin.errors import LidrError
from lidr_plugin.machine.gpus import Gpu
from lidr_plugin.machine.inputs import is_there, read_json
from lidr_plugin.run_directory import RunDirectory
from lidr_plugin.training.memory import shape_of
from lidr_plugin.training.plan import alike, architecture, flops_of

_UTILISATION = 0.15
"""Share of a GPU's speed that vLLM reaches with many requests at once; 8 billion parameters on an A100 write 2,900 tokens/s."""
_ENOUGH = 32
"""Completions of an earlier run that tell the speed: fewer say how long the engine takes to start."""


def speed_of(config: Config, cards: Sequence[Gpu]) -> Speed | None:
    """As the last build of this run measured it, else by arithmetic for a vLLM that lidr starts on these GPUs."""
    return _measured(config) or (by_arithmetic(config, cards) if backend_of(config.engine) == "vllm" else None)


def _measured(config: Config) -> Speed | None:
    path = RunDirectory.of(config.output_dir, config.store).report_json
    try:
        found = read_json(path) if is_there(path) else None
    except LidrError:  # a damaged report is told by whoever needs it
        return None
    report = found if isinstance(found, dict) else {}
    done, speed = report.get("completions"), report.get("tokens_per_second")
    made = done.get("generated") if isinstance(done, dict) else None
    if isinstance(made, int) and made >= _ENOUGH and isinstance(speed, int | float) and speed > 0:
        return Speed(float(speed), "as the last build measured")
    return None


def by_arithmetic(config: Config, cards: Sequence[Gpu]) -> Speed | None:
    """Of one vLLM server; a GPU whose speed nobody knows is taken for one of its size that is known."""
    card = alike(cards[0]) if cards else None
    flops = flops_of([card]) if card else None
    if card is None or flops is None:
        return None
    try:
        shape = shape_of(architecture(config.model_name_or_path, config.model_revision), config.model_name_or_path)
    except LidrError:
        return None
    used = min(config.engine.gpus, len(cards))
    source = f"by arithmetic for {used} x {card.name} at {_UTILISATION:.0%} of its {flops / 1e12:,.0f} TFLOP/s"
    if card != cards[0]:
        source += f", which is what {cards[0].name or 'a GPU'} of {cards[0].memory / 2**30:.0f} GB is taken for"
    return Speed(used * flops * _UTILISATION / (2 * shape.parameters), source)
