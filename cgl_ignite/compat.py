"""torchvision beside a CPU build of PyTorch: import this module before the first ``import torchvision``.

torchvision's wheel is linked against CUDA. Beside a CPU build of PyTorch its compiled operators do not
load, and ``import torchvision`` then fails on two operators it wants to describe. Declaring these two lets
everything that needs no compiled operator work: data sets, transforms, models.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path

import torch

__all__ = ["ensure_torchvision"]

_OPERATORS = ("nms", "qnms")
_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declared: list[torch.library.Library] = []


@functools.cache
def ensure_torchvision() -> bool:
    """Make ``import torchvision`` work beside any build of PyTorch.

    Returns:
        Whether torchvision's compiled operators are there; its data sets, transforms and models work
        without them.
    """
    if "torchvision" not in sys.modules and not _operators_load():
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in _OPERATORS:
            library.define(name + _SCHEMA)
        _declared.append(library)
    return not _declared


def _operators_load() -> bool:
    """Try the compiled operators; a package that is not installed needs no cure either."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return True
    return any(_loads(path) for path in sorted(Path(found.origin).parent.glob("_C*")))


def _loads(path: Path) -> bool:
    try:
        torch.ops.load_library(str(path))
    except (OSError, ImportError):
        return False
    return True


ensure_torchvision()
