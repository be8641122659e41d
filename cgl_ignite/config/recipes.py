"""The settings that ``cgl new`` writes, by data set and by backbone; the paper's where the paper has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["BACKBONES", "DATASETS", "OWN_BACKBONE", "Recipe", "recipe"]


@dataclass(frozen=True)
class Recipe:
    """What a data set or a backbone adds to a pipeline.

    Args:
        modality: what it holds or reads.
        sections: values by section.
        comments: what the user has to know of a value, by its dotted key.
        rows: of the training part of a data set, with its holdout; None for the user's own.
    """

    modality: str
    sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    rows: int | None = None


_HALVED = {"kind": "milestones", "at": [0.3, 0.6, 0.8], "factor": 0.5}
_ADAM = {"kind": "adam", "learning_rate": 1e-3, "batch_size": 64, "schedule": _HALVED}
_CONSTANT = {"kind": "adam", "learning_rate": 1e-3, "batch_size": 64}
_PAPER_IMAGE = Recipe("image", {"optim": _ADAM, "run": {"epochs": 200}})
_PAPER_VDCNN = Recipe(
    "text",
    {"data": {"encoding": {"kind": "characters", "length": 1024}}, "optim": _CONSTANT, "run": {"epochs": 20}},
)
_OWN_HOLDOUT = {"holdout": 500, "stratified_holdout": True}
_CIFAR = Recipe("image", {"data": {"holdout": 5000, "augment": {"kind": "crop_flip"}}}, rows=50_000)

BACKBONES: Mapping[str, Recipe] = {
    "resnet8": Recipe("image", {"optim": _ADAM, "run": {"epochs": 60}}),
    "resnet18": _PAPER_IMAGE,
    "resnet34": _PAPER_IMAGE,
    "module": Recipe(
        "image",
        {
            "backbone": {"build": "torchvision.models.mobilenet_v3_small", "layers": 8},
            "optim": _ADAM,
            "run": {"epochs": 200},
        },
        {"backbone.build": "a function or class that returns a network, by its dotted name"},
    ),
    "vdcnn9": _PAPER_VDCNN,
    "vdcnn17": _PAPER_VDCNN,
    "vdcnn29": _PAPER_VDCNN,
    "transformer": Recipe(
        "text",
        {
            "data": {"encoding": {"kind": "sentencepiece", "vocabulary": 16_000, "length": 512}},
            "optim": {**_CONSTANT, "learning_rate": 1e-4},
            "run": {"epochs": 30},
        },
    ),
}

OWN_BACKBONE: Mapping[str, Recipe] = {"image": BACKBONES["resnet8"], "text": BACKBONES["vdcnn9"]}
"""What stands in for a backbone that a plugin adds, by modality."""

DATASETS: Mapping[str, Recipe] = {
    "digits": Recipe(
        "image",
        {
            "data": {"holdout": 237, "augment": {"kind": "crop_flip", "padding": 1, "flip": False}},
            "optim": {"learning_rate": 4e-3, "batch_size": 16},
            "run": {"epochs": 40, "threads": 1},
        },
        rows=1_437,
    ),
    "cifar10": _CIFAR,
    "cifar100": _CIFAR,
    "local_images": Recipe(
        "image", {"data": {"path": "images", "size": 32, **_OWN_HOLDOUT, "augment": {"kind": "crop_flip"}}}
    ),
    "imdb": Recipe("text", {"data": {"holdout": 2000}}, rows=25_000),
    "yelp_review_full": Recipe("text", {"data": {"holdout": 20_000}}, rows=650_000),
    "yahoo_answers": Recipe("text", {"data": {"holdout": 50_000}}, rows=1_400_000),
    "amazon_review_full": Recipe("text", {"data": {"holdout": 100_000}}, rows=3_000_000),
    "local_text": Recipe(
        "text",
        {"data": {"path": "texts", "label": "label", "text": ["text"], "header": True, **_OWN_HOLDOUT}},
        {
            "data.path": "a table, or a folder with train.csv, test.csv and val.csv",
            "data.label": "the column of the class: a name from the header, or a number from 1",
            "data.text": "the columns of the text, by name or number",
            "data.header": "false if the first row is no header; columns are then given by their number",
        },
    ),
}


def recipe(dataset: str, backbone: str, method: str, added: Mapping[str, Recipe] | None = None) -> dict[str, Any]:
    """Compose a whole pipeline; where both have a value, the data set's wins.

    Args:
        dataset: a key of :data:`DATASETS`.
        backbone: a key of :data:`BACKBONES` or of ``added``.
        method: a preset.
        added: the backbones of plugins.

    Raises:
        InputError: a backbone that is not known, or does not read what the data set holds.
    """
    known = {**BACKBONES, **(added or {})}
    if backbone not in known:
        hint = f"{nearest(backbone, known)} (known: {choices(known)}; --plugin adds those of a module)"
        raise InputError(f"unknown backbone {backbone!r}{hint}")
    data, body = DATASETS[dataset], known[backbone]
    if data.modality != body.modality:
        fitting = choices(name for name, other in known.items() if other.modality == data.modality)
        fault = f"{backbone!r} reads {body.modality}, but {dataset!r} holds {data.modality}"
        raise InputError(f"{fault}; backbones for it: {fitting}")
    return {
        "data": {"kind": dataset, **body.sections.get("data", {}), **data.sections.get("data", {})},
        "backbone": {"kind": backbone, **body.sections.get("backbone", {})},
        "method": {"preset": method},
        "optim": {**body.sections.get("optim", {}), **data.sections.get("optim", {})},
        "run": {**body.sections.get("run", {}), **data.sections.get("run", {})},
    }
