"""The memory that is left: the machine's, or that of the container."""

from pathlib import Path

import pytest

from lidr_plugin.machine.memory import free_memory

GIB = 1 << 30


def machine(root: Path, group: str = "0::/\n", **files: str) -> Path:
    """A machine with 16 GiB free, and these files in `sys/fs/cgroup` (`__` for a slash)."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text("MemTotal: 25165824 kB\nMemAvailable:   16777216 kB\n")
    (root / "proc/self/cgroup").write_text(group)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("memory_", "memory.", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_container_it_is_what_the_machine_has(tmp_path: Path) -> None:
    assert free_memory(machine(tmp_path, memory_max="max\n", memory_current="5")) == 16 * GIB


def test_a_containers_limit_counts_and_its_old_files_do_not(tmp_path: Path) -> None:
    limits = {"memory_max": f"{4 * GIB}\n", "memory_current": f"{3 * GIB}\n", "memory_stat": f"inactive_file {GIB}\n"}
    assert free_memory(machine(tmp_path, **limits)) == 2 * GIB


def test_the_narrowest_of_several_limits_counts(tmp_path: Path) -> None:
    limits = {"user__memory.max": f"{GIB}\n", "user__memory.current": "0\n"}
    assert free_memory(machine(tmp_path, "0::/user/lidr\n", **limits)) == GIB


def test_the_older_kind_of_groups_is_understood(tmp_path: Path) -> None:
    root = machine(tmp_path, "5:memory:/\n1:name=systemd:/\n")
    folder = root / "sys/fs/cgroup/memory"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text(f"{2 * GIB}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{GIB}\n")
    assert free_memory(root) == GIB


@pytest.mark.parametrize("text", ["", "MemFree: 7 kB\n"])
def test_what_the_system_does_not_say_is_not_made_up(text: str, tmp_path: Path) -> None:
    assert free_memory(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(text)
    assert free_memory(tmp_path) is None
