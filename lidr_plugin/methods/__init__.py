"""Ways to turn a prompt into rows of a dataset, one file each; `config/methods.py` lists them."""

from collections.abc import Mapping, Sequence
from importlib import import_module

from lidr_plugin.completions.client import Model
from lidr_plugin.config.schema import Config
from lidr_plugin.methods.base import Method
from lidr_plugin.methods.filters import Filter


def method_of(config: Config, filters: Sequence[Filter], roles: Mapping[str, Model]) -> Method:
    """The method that `method:` names, by its family.

    Raises:
        InputError: one of its files cannot be read.
    """
    built: Method = import_module(f"lidr_plugin.methods.{config.family}").build(config, filters, roles)
    return built
