"""What puts the answers to a prompt in order, one file each; `rank.by` names them."""

from importlib import import_module

from lidr_plugin.config.schema import Config
from lidr_plugin.errors import InputError
from lidr_plugin.methods.rankers.base import Ranker, Tools

RANKERS = ("answer", "vote")
"""Those that there are; scores, judges and grades are asked for by none of them yet."""


def ranker_of(config: Config, tools: Tools) -> Ranker:
    """The ranker that `rank.by` names.

    Raises:
        InputError: there is none of that name yet, or a model that it needs is not there.
    """
    if config.rank.by not in RANKERS:
        raise InputError(
            f"method: {config.method}: ranking by {config.rank.by} is not part of this version",
            f"set rank.by to one of {', '.join(RANKERS)}",
        )
    built: Ranker = import_module(f"lidr_plugin.methods.rankers.{config.rank.by}").build(config, tools)
    return built
