"""One model of this process is loaded at a time: transformers imports its parts as they are named, and lacks some meanwhile."""

from collections.abc import Callable
from threading import Lock
from typing import Any

_LOADING = Lock()


def alone(load: Callable[[], Any]) -> Any:
    """What `load` gives, while no other thread loads a model."""
    with _LOADING:
        return load()
