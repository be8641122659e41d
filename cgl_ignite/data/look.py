"""What can be told of a data set from its options and the headers of its files, before it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path
from typing import Any

from cgl_ignite.config.schema import Part
from cgl_ignite.data.base import DATASETS, InputSpec
from cgl_ignite.data.encoding import ENCODINGS
from cgl_ignite.data.splits import rows_held_out

__all__ = ["Look", "input_of", "is_present", "look_at"]

_ASSUMED_SHAPE = (3, 32, 32)
_ASSUMED_CLASSES = 2


@dataclass(frozen=True)
class Look:
    """What is known of a data set before it is read; None where only reading it tells.

    Attributes:
        shape: of one input; of texts their encoding tells it.
        classes: their number.
        train: rows of the training part, with those that a holdout is cut from.
        each: rows of the rarest and of the most frequent class, before a test part is cut from those of training.
        holdout: rows of a validation part.
        test: rows of the test part.
        certain: whether ``shape`` comes from the files, or from a data set that has only one.
    """

    shape: tuple[int, ...] | None = None
    classes: int | None = None
    train: int | None = None
    holdout: int | None = None
    test: int | None = None
    certain: bool = True
    each: tuple[int, int] | None = None

    def rows(
        self, holdout: float | None, limit: int | None, test_limit: int | None = None
    ) -> tuple[int, int, int] | None:
        """Tell the rows of training, holdout and test part as :func:`cgl_ignite.data.prepare` divides them.

        Raises:
            InputError: a holdout that leaves nothing to learn from.
        """
        if self.train is None:
            return None
        train, test = min(limit or self.train, self.train), self.test or 0
        test = min(test_limit or limit or test, test)
        if self.holdout is not None:
            return train, min(limit or self.holdout, self.holdout), test
        held_out = rows_held_out(holdout, train, limit)
        return train - held_out, held_out, test


def is_present(kind: str, root: Path, options: Mapping[str, Any] | None = None) -> bool | None:
    """Tell whether the files of a data set are there; None where only reading it tells.

    The fact ``present`` of a data set answers, (root, options) to bool, else its archive in the fact ``files``. Options
    that are not given have their defaults; nothing is told where one has none.
    """
    facts, known = DATASETS.facts(kind), DATASETS.options(kind)
    if present := facts.get("present"):
        given = {name: option.default for name, option in known.items()} | dict(options or {})
        return None if Parameter.empty in given.values() else bool(present(root, given))
    files = facts.get("files")
    return None if files is None else bool(files.present(root))


def look_at(kind: str, options: Mapping[str, Any], *, files: bool) -> Look:
    """Tell what is known of a data set: by its kind, its options and, if asked for and there, its files.

    Raises:
        InputError: files that are there and cannot be read as this data set.
    """
    facts = DATASETS.facts(kind)
    defaults = {name: option.default for name, option in DATASETS.options(kind).items()}
    options = {name: value for name, value in defaults.items() if value is not Parameter.empty} | dict(options)
    if look := facts.get("look"):
        found: Look = look(options, files=files)
        return found
    train, test = facts.get("rows") or (None, None)
    return Look(facts.get("shape"), facts.get("classes"), train, None, test)


def input_of(kind: str, encoding: Part, look: Look) -> tuple[InputSpec, int, bool]:
    """Tell the input and the number of classes of a data set before it is read, and whether that is certain.

    Where only the files can tell, colour images of 32 x 32 in two classes stand in.
    """
    encoded: InputSpec | None = ENCODINGS.build(encoding).spec
    modality = str(DATASETS.facts(kind).get("modality", "image"))
    spec = encoded or InputSpec(modality, look.shape or _ASSUMED_SHAPE)
    certain = encoded is not None or (look.shape is not None and look.certain)
    return spec, look.classes or _ASSUMED_CLASSES, certain and look.classes is not None
