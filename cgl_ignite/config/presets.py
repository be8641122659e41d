"""Methods as values: each preset is one row of settings that ``[method] preset`` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["METHODS", "ByTask", "preset"]


@dataclass(frozen=True)
class ByTask:
    """A setting that the paper gives once for images and once for text."""

    image: Any
    text: Any


METHODS: dict[str, Mapping[str, Any]] = {
    "baseline": {
        "students": 1,
        "routing": {"kind": "disjoint"},
        "subsets": {"kind": "whole"},
        "choose": {"kind": "nobody"},
        "selection": {"kind": "best"},
    },
    "cgl": {
        "students": 8,
        "routing": {"kind": "random", "modules": 2},
        "subsets": {"kind": "disjoint"},
        "choose": {"kind": "bernoulli", "probability": ByTask(image=0.25, text=0.5)},
        "selection": {"kind": "best"},
    },
}


def preset(name: str, modality: str) -> dict[str, Any]:
    """Write out the ``[method]`` table of a preset for a task.

    Args:
        name: a key of :data:`METHODS`.
        modality: what the data set holds; anything but ``"text"`` gets the settings for images.

    Example:
        >>> preset("cgl", "text")["choose"]
        {'kind': 'bernoulli', 'probability': 0.5}
    """
    return {"preset": name, **_settled(METHODS[name], modality)}


def _settled(table: Mapping[str, Any], modality: str) -> dict[str, Any]:
    settled: dict[str, Any] = {}
    for key, setting in table.items():
        value = getattr(setting, modality, setting.image) if isinstance(setting, ByTask) else setting
        settled[key] = _settled(value, modality) if isinstance(value, Mapping) else value
    return settled
