"""What can be told of a data set from its options and the headers of its files, before it is read."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Look"]


@dataclass(frozen=True)
class Look:
    """What is known of a data set before it is read; None where only reading it tells.

    Attributes:
        shape: of one input; of texts their encoding tells it.
        classes: how many there are.
        train: rows of the training part, those included from which the holdout is cut.
        holdout: rows of a validation part.
        test: rows of the test part.
    """

    shape: tuple[int, ...] | None = None
    classes: int | None = None
    train: int | None = None
    holdout: int | None = None
    test: int | None = None
