"""Which process works on a run, and whether it is still there."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["gone", "host", "identity"]


def host() -> str:
    """Name this machine; process numbers mean the same only within one host and one container."""
    with suppress(OSError):
        return f"{platform.node()}/{Path('/proc/self/ns/pid').readlink().name}"
    return platform.node()


def identity() -> dict[str, str]:
    """Return the tags that tell this process from every other one, before and after a restart."""
    return {"cgl.host": host(), "cgl.pid": str(os.getpid()), "cgl.start": _started(os.getpid())}


def gone(tags: Mapping[str, str]) -> bool:
    """Say whether the process with these tags lived on this host and has ended."""
    if tags.get("cgl.host") != host():
        return False
    pid = int(tags["cgl.pid"])
    return not psutil.pid_exists(pid) or _started(pid) != tags["cgl.start"]


def _started(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return "never"
