"""How much memory this process may still take: of the machine, of its control group, of its own limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["memory_left"]

_GROUPS = Path("/sys/fs/cgroup")


def memory_left(groups: Path = _GROUPS, of_process: Path = Path("/proc/self/cgroup")) -> int:
    """Tell how many bytes this process may still take, by the tightest limit.

    Args:
        groups: where the control groups are mounted, of version 2 or 1.
        of_process: says which of them this process is in.
    """
    return max(0, min([psutil.virtual_memory().available, *_of_groups(groups, of_process), *_of_limits()]))


def _of_limits() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # there are no such limits on Windows
        return
    memory = psutil.Process().memory_info()
    for limit, used in ((resource.RLIMIT_AS, memory.vms), (resource.RLIMIT_DATA, memory.rss)):
        allowed, _ = resource.getrlimit(limit)
        if allowed != resource.RLIM_INFINITY:
            yield allowed - used


def _of_groups(groups: Path, of_process: Path) -> Iterator[int]:
    """Yield what each control group has left; file pages that can be dropped do not count as used."""
    try:
        lines = [line.split(":", 2) for line in of_process.read_text("utf-8").splitlines()]
    except OSError:
        return
    for _, controllers, name in (line for line in lines if len(line) == 3):
        if not controllers:
            root, files = groups, ("memory.max", "memory.current", "inactive_file")
        elif controllers == "memory":
            root, files = groups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        place = root / name.lstrip("/")
        for folder in (place, *place.parents):
            if folder.is_relative_to(root) and (left := _left(folder, *files)) is not None:
                yield left


def _left(folder: Path, limit: str, usage: str, droppable: str) -> int | None:
    try:
        allowed, used = (folder / limit).read_text("ascii").strip(), int((folder / usage).read_text("ascii"))
        facts = dict(line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines())
    except (OSError, ValueError):
        return None
    return None if allowed == "max" else int(allowed) - used + int(facts.get(droppable, 0))
