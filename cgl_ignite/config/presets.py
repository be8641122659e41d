"""Methods as values: each preset is one row of settings that ``[method] preset`` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["METHODS", "PAPER_METHODS", "REFERENCE", "ByTask", "preset"]


@dataclass(frozen=True)
class ByTask:
    """A setting that the paper gives once for images and once for text."""

    image: Any
    text: Any


_TOGETHER: Mapping[str, Any] = {
    "students": ByTask(image=3, text=5),
    "routing": {"kind": "branched"},
    "subsets": {"kind": "whole"},
    "choose": {"kind": "others"},
    "selection": {"kind": "last"},
}
_RANDOM = {"kind": "random", "modules": 2, "shared": ByTask(image=[], text=[0])}
_NO_RAMP = {"start": 0.0, "end": 0.0}
_RAMP_80_OF_300 = {"start": 0.0, "end": 80 / 300}

METHODS: dict[str, Mapping[str, Any]] = {
    "baseline": {
        **_TOGETHER,
        "students": 1,
        "routing": {"kind": "disjoint"},
        "choose": {"kind": "nobody"},
    },
    "dml": {
        **_TOGETHER,
        "routing": {"kind": "disjoint"},
        "loss": {"temperature": 1.0, "mixes": "losses", "teacher_gradient": "stopped"},
        "ramp": _NO_RAMP,
    },
    "cl_ilr": {
        **_TOGETHER,
        "loss": {
            "temperature": 2.0,
            "label_weight": 0.5,
            "imitation_weight": 0.5,
            "teacher_gradient": "stopped",
            "trunk_gradient": "mean",
        },
        "ramp": _NO_RAMP,
    },
    "one": {
        **_TOGETHER,
        "choose": {"kind": "everyone"},
        "weigh": {"kind": "gate"},
        "loss": {"teacher_gradient": "stopped", "teacher_label_weight": 1.0},
        "ramp": _RAMP_80_OF_300,
    },
    "okddip": {
        **_TOGETHER,
        "choose": {"kind": "peers"},
        "weigh": {"kind": "attention", "leader": True},
        "ramp": _RAMP_80_OF_300,
        "selection": {"kind": "leader", "at": "last"},
    },
    "cgl": {
        "students": 8,
        "routing": _RANDOM,
        "subsets": {"kind": "disjoint"},
        "choose": {"kind": "bernoulli", "probability": ByTask(image=0.25, text=0.5)},
        "selection": {"kind": "last"},
    },
    "cgl_whole": {
        **_TOGETHER,
        "students": 4,
        "routing": _RANDOM,
        "loss": {"teacher_gradient": "stopped"},
    },
    "dml_repo": {**_TOGETHER, "routing": {"kind": "disjoint"}, "ramp": _NO_RAMP},
    "cl_ilr_repo": {**_TOGETHER, "loss": {"trunk_gradient": "mean"}, "ramp": _RAMP_80_OF_300},
    "one_repo": {
        **_TOGETHER,
        "choose": {"kind": "everyone"},
        "weigh": {"kind": "gate"},
        "loss": {"teacher_label_weight": 1.0},
        "ramp": _RAMP_80_OF_300,
    },
}
"""The six methods of the paper as their authors published them; CGL without sub-sets, for training of ordinary length
(``cgl_whole``); and, as ``*_repo``, three of them as they stand in the code of OKDDip (Chen et al. 2020), which may be
what the paper compares with."""

PAPER_METHODS = ("baseline", "dml", "cl_ilr", "one", "okddip", "cgl")
"""The methods of the paper's Tables 2 and 3, in its order."""

REFERENCE = "baseline"
"""The method that the others are measured against."""


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
