"""What puts the answers to a prompt in order, one file each; `rank.by` names them."""

from importlib import import_module

from lidr_plugin.config.schema import Config
from lidr_plugin.methods.rankers.base import Ranker, Tools


def ranker_of(config: Config, tools: Tools) -> Ranker:
    """The ranker that `rank.by` names.

    Raises:
        InputError: a model that it needs is not there.
    """
    built: Ranker = import_module(f"lidr_plugin.methods.rankers.{config.rank.by}").build(config, tools)
    return built
