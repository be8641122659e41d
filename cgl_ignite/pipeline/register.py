"""The selected student as a version of a registered model of the tracker."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from cgl_ignite.errors import InputError, first_line
from cgl_ignite.pipeline.result import RunResult
from cgl_ignite.tracking import Tracker, TrackerError

__all__ = ["refuse_unfit_name", "register_best"]

NAME = re.compile(r"[\w-][\w\-. ]{0,199}")


def refuse_unfit_name(name: str) -> None:
    """Make sure that a registered model can have this name.

    Raises:
        InputError: it cannot.
    """
    if not NAME.fullmatch(name) or name != name.strip():
        raise InputError(
            f"{name!r} cannot be the name of a registered model: take letters, digits, '-', '_', '.' and spaces within,"
            " at most 200 of them"
        )


def register_best(results: Sequence[RunResult], tracker: Tracker, name: str, note: Callable[[str], None]) -> None:
    """Register the student with the highest holdout accuracy, of several the first, and note its version."""
    best = max(results, key=lambda result: result.holdout_accuracy)
    try:
        if best.model is None:
            raise TrackerError(f"{tracker.uri} has no model of it")
        version = tracker.register(best.model, name)
    except TrackerError as error:
        again = "the same command with --resume tries again"
        note(f"the student of run {best.run_id} is not registered as {name!r}: {first_line(error)}; {again}")
    else:
        note(f"the student of run {best.run_id} is version {version} of the registered model {name!r}")
