"""Which process works on a run, and whether it is still there."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["gone", "host", "identity"]

CLOCK_SECONDS = 30.0
"""Starting times may shift by so much when the clock of the machine is set."""


def host() -> str:
    """Name this machine; process numbers mean the same only within one host and one container."""
    with suppress(OSError):
        return f"{platform.node()}/{Path('/proc/self/ns/pid').readlink().name}"
    return platform.node()


def identity() -> dict[str, str]:
    """Return the tags that tell this process from every other one, before and after a restart."""
    return {"cgl.host": host(), "cgl.pid": str(os.getpid()), "cgl.start": f"{_started(os.getpid()):.2f}"}


def gone(tags: Mapping[str, str]) -> bool:
    """Say whether the process with these tags lived on this host and has ended."""
    if tags.get("cgl.host") != host():
        return False
    pid = int(tags["cgl.pid"])
    return abs(_started(pid) - float(tags["cgl.start"])) > CLOCK_SECONDS


def _started(pid: int) -> float:
    """Return when a process began; one that has ended, though its parent has not noticed (a zombie), never did."""
    try:
        process = psutil.Process(pid)
        return math.inf if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return math.inf
