"""The memory that this machine, or the container that lidr runs in, has left."""

import re
from collections.abc import Iterator
from pathlib import Path


def free_memory(root: Path = Path("/")) -> int | None:
    """Bytes that a new process can have without swapping; None where the system does not say (it is no Linux).

    A container's limit (cgroup v2 or v1) counts where it leaves less than the machine has.

    Args:
        root: where `proc` and `sys` are.
    """
    try:
        told = re.search(r"^MemAvailable:\s+(\d+) kB", (root / "proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return None
    if told is None:
        return None
    return max(0, min([int(told[1]) << 10, *_left_by_groups(root)]))


def _left_by_groups(root: Path) -> Iterator[int]:
    """What each limit on the way from the process's own control group to the top leaves."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in groups:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers not in ("", "memory"):
            continue
        top = root / "sys/fs/cgroup" / controllers
        own = top / path.lstrip("/")
        for folder in (own, *own.parents):
            if not folder.is_relative_to(top):
                break
            names = (
                ("memory.limit_in_bytes", "memory.usage_in_bytes") if controllers else ("memory.max", "memory.current")
            )
            limit, used = (_number(folder / name) for name in names)
            if limit is not None and used is not None:
                yield limit - used + _reclaimable(folder / "memory.stat")


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if re.fullmatch("[0-9]{1,20}", text) else None


def _reclaimable(statistics: Path) -> int:
    """Bytes of files in memory that nobody has used for long: they count as used, and are given up when asked for."""
    try:
        found = re.search(r"^(?:total_)?inactive_file (\d+)", statistics.read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
