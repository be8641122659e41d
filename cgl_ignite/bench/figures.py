"""Times, ratios with their intervals, and the facts a figure needs to be believed."""

from __future__ import annotations

import os
import platform
import random
import re
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch

from cgl_ignite.tracking import ask_git

__all__ = ["facts", "peak_mib", "ratio", "summary"]

RESAMPLES = 2000


def summary(values: Sequence[float]) -> dict[str, float]:
    """Return the median of some values, with the interval that holds 95 % of its bootstrap resamples.

    Example:
        >>> summary([3.0, 1.0, 2.0])["median"]
        2.0
    """
    generator = random.Random(0)
    medians = sorted(median(generator.choices(values, k=len(values))) for _ in range(RESAMPLES))
    low, high = medians[round(0.025 * RESAMPLES)], medians[round(0.975 * RESAMPLES) - 1]
    return {"median": median(values), "low": low, "high": high}


def ratio(times: Sequence[float], others: Sequence[float]) -> dict[str, float]:
    """Summarise the ratios of two series whose rounds took turns, so that a round's ratio sees one load."""
    return summary([time / other for time, other in zip(times, others, strict=True)])


def peak_mib() -> float:
    """Tell the greatest memory that this process has had."""
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(line) / 2**10


def facts(device: torch.device) -> dict[str, Any]:
    """Say when, from which commit, with what and on what a measurement is made."""
    packages = ("cgl_ignite", "torch", "torchvision", "pytorch-ignite", "numpy")
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": ask_git("describe", "--always", "--dirty", "--abbrev=12", folder=Path(__file__).parent) or "unknown",
        "command": shlex.join(["python", *sys.argv]),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in packages}},
        "hardware": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        },
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
