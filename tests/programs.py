"""Runs whose student is stored with all that belongs to a model but its program, which takes longer than training."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cgl_ignite.pipeline import hand_over
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.tracking import StudentModel

__all__ = ["Build", "without_programs"]

Build = Callable[[RunFolder, str, Path], StudentModel]
NO_PROGRAM = b"no program"


def without_programs(patch: pytest.MonkeyPatch) -> Build:
    """Let runs end without making a program of their student; return what makes one."""
    build: Build = hand_over.student_model
    patch.setattr(hand_over, "student_model", partial(_model, patch, build))
    return build


def _model(patch: pytest.MonkeyPatch, build: Build, folder: RunFolder, name: str, workshop: Path) -> StudentModel:
    if "cgl_ignite.tracking.mlflow" in sys.modules:
        _store_without_programs(patch)
    with pytest.MonkeyPatch.context() as inner:
        inner.setattr(hand_over, "write_student", lambda path, *_: path.write_bytes(NO_PROGRAM))
        return build(folder, name, workshop)


def _store_without_programs(patch: pytest.MonkeyPatch) -> None:
    """Let MLflow take such a student. Not imported above, as that takes seconds that tests of other parts save."""
    from cgl_ignite.tracking import models

    save, try_out = models._save, models._try_out
    if save.__module__ == __name__:
        return

    def saved(model: StudentModel, place: Path, written: Any) -> None:
        if _is_missing(model):
            place.mkdir()
        else:
            save(model, place, written)

    def tried_out(model: StudentModel, place: Path) -> None:
        if not _is_missing(model):
            try_out(model, place)

    patch.setattr(models, "_save", saved)
    patch.setattr(models, "_try_out", tried_out)


def _is_missing(model: StudentModel) -> bool:
    return isinstance(model.network, Path) and model.network.read_bytes() == NO_PROGRAM
