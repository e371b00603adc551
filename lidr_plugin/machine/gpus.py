"""The NVIDIA GPUs of this machine, as `nvidia-smi` tells them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple


def has_gpu() -> bool:
    """Whether an NVIDIA driver is at work here."""
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0


class Gpu(NamedTuple):
    """A GPU as its driver names it; `memory` in bytes."""

    name: str
    memory: int


def gpus(env: Mapping[str, str] = os.environ) -> list[Gpu]:
    """The NVIDIA GPUs that a process with this environment sees (`CUDA_VISIBLE_DEVICES`)."""
    found = _all_gpus()
    visible = env.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return list(found)
    chosen = [part.strip() for part in visible.split(",") if part.strip() not in ("", "-1")]
    return [found[int(part)] if part in map(str, range(len(found))) else found[0] for part in chosen if found]


@cache
def _all_gpus() -> tuple[Gpu, ...]:
    if shutil.which("nvidia-smi") is None:
        return ()
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, encoding="utf-8", errors="replace", check=False)
    rows = [line.rpartition(",") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    return tuple(Gpu(name.strip(), int(memory) << 20) for name, _, memory in rows if memory.strip().isdecimal())
