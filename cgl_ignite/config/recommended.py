"""What ``cgl new`` recommends: one network and a modern recipe, fitted to the size of the data."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

from cgl_ignite.config.recipes import Recipe

__all__ = ["DataSize", "fitted", "recommended"]

Tree = dict[str, Any]
Comments = dict[str, str]

_SIDES = (224, 192, 160, 128, 96, 64, 48, 32)
_OF_IMAGENET = 96
"""Images of this side and more get the stem of ImageNet, which makes them four times smaller before the first block."""
_UNEQUAL = 10
"""So many times as many rows in the most frequent class as in the rarest one call for weights."""
_RATES = {"resnet8": 3e-3, "resnet18": 3e-3, "resnet34": 3e-3}
_RATE_OF_OTHERS = 1e-3
_MATTERS = "matters most; the best of three: cgl run FILE --tune 'optim.learning_rate={}'"
_TRIED = {3e-3: "[1e-3, 3e-3, 1e-2]", 1e-3: "[3e-4, 1e-3, 3e-3]"}
"""What is tried instead of each rate."""
_ONE_NETWORK = "one network; does a pool pay on your data? cgl run FILE --set method.preset=dml --against baseline"


@dataclass(frozen=True)
class DataSize:
    """What is known of a data set before it is read; None where nothing is.

    Attributes:
        rows: of the training part, with those that a holdout is cut from.
        classes: their number.
        each: rows of the rarest and of the most frequent class, before a test part is cut.
        holdout: rows of a validation part.
        side: the shorter side of its images.
    """

    rows: int | None = None
    classes: int | None = None
    each: tuple[int, int] | None = None
    holdout: int | None = None
    side: int | None = None


def recommended(tree: Tree, dataset: Recipe, size: DataSize) -> tuple[Tree, Comments]:
    """Replace the recipe of a pipeline by the recommended one; the comments say what to know of it.

    The number of epochs falls with the square root of the rows: few rows are read more often, many give more steps in
    all. What a data set sets for itself under ``[run]`` is kept.

    Args:
        tree: of one network with the paper's settings (:func:`~cgl_ignite.config.recipes.recipe`).
        dataset: what it learns from.
        size: what is known of that.
    """
    data, method, texts = dict(tree["data"]), dict(tree["method"]), dataset.modality == "text"
    data["augment"] = [_DROPOUT] if texts else [data.get("augment", {"kind": "crop_flip"}), _CUTMIX]
    rate = _RATES.get(tree["backbone"]["kind"], _RATE_OF_OTHERS)
    optim = {
        "kind": "adamw",
        "learning_rate": rate,
        "weight_decay": 0.05,
        "decay": "weights",
        "batch_size": 64 if size.rows is None or size.rows >= 1000 else 32,
        "schedule": {"kind": "cosine", "warmup": 0.05},
    }
    length = {"epochs": _epochs(size.rows, _OF_TEXTS if texts else _OF_IMAGES)}
    run = {**length, **dataset.sections.get("run", {}), "average": {"kind": "ema", "decay": 0.998}}
    comments = {"method.preset": _ONE_NETWORK, "optim.learning_rate": _MATTERS.format(_TRIED[rate])}
    if size.each and size.each[1] >= _UNEQUAL * size.each[0]:
        data["balance"] = "sampling"
        method["selection"] = {"kind": "last", "by": "macro_f1"}
        comments["data.balance"] = "classes have {:,} to {:,} rows".format(*size.each)
    return {**tree, "data": data, "method": method, "optim": optim, "run": run}, comments


def fitted(tree: Tree, path: str, size: DataSize) -> tuple[Tree, Comments]:
    """Give a pipeline what the user's data ask for, whatever the method: the holdout, the size of images, the stem.

    Columns of a table are found out when it is read.
    """
    data = {key: value for key, value in tree["data"].items() if key not in _FOUND_OUT}
    data, backbone = {**data, "path": path}, dict(tree["backbone"])
    comments: Comments = {}
    if size.holdout is not None:
        data = {key: value for key, value in data.items() if key not in ("holdout", "stratified_holdout")}
    elif size.rows is not None:
        data["holdout"] = min(5000, max(size.rows // 10, min(50, size.rows // 4)))
        comments["data.holdout"] = f"of {size.rows:,} rows{_in_classes(size)}"
    if size.side is not None:
        data["size"] = next((side for side in _SIDES if side <= size.side), _SIDES[-1])
        if data["size"] >= _OF_IMAGENET and backbone["kind"] in ("resnet18", "resnet34"):
            backbone["stem"] = "imagenet"
    return {**tree, "data": data, "backbone": backbone}, comments


_FOUND_OUT = ("label", "text", "header")
_CUTMIX = {"kind": "cutmix", "probability": 0.5}
_DROPOUT = {"kind": "word_dropout", "probability": 0.2}
_OF_IMAGES, _OF_TEXTS = (60, 300, 400), (5, 60, 60)
"""Epochs: at least, for 1,000 rows, at most."""
_UNKNOWN = 20_000


def _epochs(rows: int | None, bounds: tuple[int, int, int]) -> int:
    least, of_a_thousand, most = bounds
    epochs = min(most, max(least, of_a_thousand * sqrt(1000 / (rows or _UNKNOWN))))
    return round(epochs / 10) * 10 if epochs >= 50 else round(epochs)


def _in_classes(size: DataSize) -> str:
    if size.classes is None:
        return ""
    return f" in {size.classes:,} classes"
