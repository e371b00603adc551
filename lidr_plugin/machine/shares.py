"""What each of several servers on this machine gets of it: GPUs, cores, ports."""

import os
from collections.abc import Mapping

from lidr_plugin.errors import EngineError
from lidr_plugin.machine.gpus import gpus

GPUS, CORES, PORT = "CUDA_VISIBLE_DEVICES", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_PORT"
"""The environment variables by which a vLLM server is told; the last is where it begins to look for ports for its processes."""

_PORTS_EACH = 64
"""A server looks for a free port and binds it much later; servers that start at once must not look in the same place (vLLM's
issues 39015 and 43206)."""


def gpus_for(servers: int, each: int, env: Mapping[str, str]) -> list[str]:
    """The GPUs of each server as its `CUDA_VISIBLE_DEVICES`.

    Args:
        each: GPUs of one server.
        env: what they all are started with.

    Raises:
        EngineError: fewer are visible.
    """
    wanted, there = servers * each, len(gpus({}))
    names = [name.strip() for name in env[GPUS].split(",")] if GPUS in env else list(map(str, range(there or wanted)))
    names = [name for name in names if name not in ("", "-1")]
    if len(names) < wanted:
        raise EngineError(
            f"engine.replicas: {servers} servers of {each} GPU{'s' if each > 1 else ''} want {wanted}, and {len(names)} "
            f"{'is' if len(names) == 1 else 'are'} visible here",
            f"engine.replicas={len(names) // each}" if len(names) >= each else "one server: engine.replicas=1",
        )
    return [",".join(names[number * each : (number + 1) * each]) for number in range(servers)]


def cores_for(servers: int, each: int) -> list[str]:
    """The cores of each server on a CPU as vLLM wants them: a list for each of its `each` workers, with a bar between.

    Where there are fewer cores than workers, none is bound to one.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    workers = servers * each
    if len(cores) < workers:
        return ["nobind"] * servers
    edges = [number * len(cores) // workers for number in range(workers + 1)]
    lists = [",".join(map(str, cores[edges[number] : edges[number + 1]])) for number in range(workers)]
    return ["|".join(lists[number * each : (number + 1) * each]) for number in range(servers)]


def ports_for(servers: int, first: int) -> list[str]:
    """Where each server begins to look for ports, some way apart from `first` on."""
    first = min(first, 65_000 - servers * _PORTS_EACH)
    return [str(first + number * _PORTS_EACH) for number in range(servers)]
