"""What a run leaves behind: its setting at the start, its student and pictures at the end."""

from __future__ import annotations

import io
import json
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from ignite.engine import Engine
from torch import Tensor, nn

from cgl_ignite.analysis.agreement import agreement, agreement_figure
from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.chance import certainty
from cgl_ignite.analysis.figures import diversity_figure, routing_figure, training_figure
from cgl_ignite.config.dump import to_toml, values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import DataReport, Examples
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.handlers.checkpoint import Checkpointer, all_finite
from cgl_ignite.handlers.state import Scores, TrainerState, state_of
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.folder import PREDICTIONS, RunFolder
from cgl_ignite.pipeline.result import RunResult, read_result
from cgl_ignite.student import Card, Student, example_inputs, logits, read_student, write_student
from cgl_ignite.tracking import Journal, ModelRefused, RunInfo, StudentModel, Tracker, recorded_in, sync
from cgl_ignite.tracking.files import write_atomically

__all__ = [
    "DATA_FILES",
    "PREDICTIONS",
    "count_parameters",
    "environment",
    "hand_over",
    "keep_data",
    "keep_model",
    "keep_predictions",
    "keep_routing",
    "keep_setting",
    "student_model",
    "sync_run",
]

DATA_FILES = ("data.json", "data.md")
_TEXTS = ("The food was cold.", "Friendly people, and worth every penny!")
PACKAGES = ("cgl_ignite", "torch", "torchvision", "pytorch-ignite", "mlflow", "numpy")


def keep_setting(pipeline: Pipeline, journal: Journal) -> None:
    """Keep the effective pipeline and the environment with a run."""
    journal.text("pipeline.toml", to_toml(values(pipeline)))
    journal.text("environment.json", json.dumps(environment(), indent=1))


def keep_data(report: DataReport, data: Mapping[str, str], journal: Journal) -> None:
    """Keep the report of the data with a run, as values and as a page; ``data`` says which they were."""
    journal.text(DATA_FILES[0], json.dumps({**report.tree(), "read": dict(data)}, indent=1))
    journal.text(DATA_FILES[1], report.markdown())


def keep_routing(paths: Tensor, journal: Journal) -> None:
    """Keep the students' paths with a run, as a table and as a picture."""
    journal.text("paths.json", json.dumps(paths.tolist()))
    journal.content("routing.png", as_png(routing_figure(paths.tolist())))


def keep_predictions(test: Scores, selected: int, journal: Journal) -> None:
    """Keep what every student predicts on every test sample."""
    smallest = np.uint8 if int(test.predicted.max()) < 256 else np.uint16
    file = io.BytesIO()
    np.savez_compressed(
        file,
        predicted=test.predicted.numpy().astype(smallest),
        targets=test.targets.numpy().astype(np.uint16),
        selected=np.int64(selected),
    )
    journal.content(PREDICTIONS, file.getvalue())


def environment() -> dict[str, str]:
    """Name what the numbers of a run may depend on besides its pipeline."""
    found = {"python": platform.python_version(), "platform": platform.platform(), "git": _commit()}
    found |= {name: _version(name) for name in PACKAGES}
    found["threads"] = str(torch.get_num_threads())
    found["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu"
    return found


def hand_over(
    pipeline: Pipeline, parts: Parts, checkpointer: Checkpointer, folder: RunFolder, journal: Journal, trainer: Engine
) -> RunResult:
    """Write the selected student and the result of a run, then its pictures, predictions and model.

    The student and the result count: what fails after them is a note. The predictions come after the pictures, as a
    run that was killed with predictions is complete (:attr:`RunFolder.complete`).
    """
    state, seconds = state_of(trainer), checkpointer.averages.seconds
    selected, test = state.selected, state.test
    student, card = _write_student(parts, checkpointer, folder, state)
    result = RunResult(
        run_id=folder.run_id,
        seed=folder.facts["seed"],
        method=folder.facts.get("method", pipeline.method.preset),
        dataset=pipeline.data.kind,
        backbone=pipeline.backbone.kind,
        students=pipeline.method.students,
        selected_student=selected.student,
        selected_epoch=selected.epoch,
        holdout_accuracy=selected.score,
        test_accuracy=test.accuracy[selected.student],
        mean_test_accuracy=fmean(test.accuracy),
        diversity=test.diversity,
        parameters=count_parameters(parts.pool) + count_parameters(parts.weigher),
        parameters_student=count_parameters(student),
        train_seconds=seconds,
        samples_per_second=_samples(pipeline, parts) / max(seconds, 1e-9),
        checkpoint=str(folder.checkpoint),
        tracking_uri=journal.tracker.uri,
        student=str(folder.student),
        model=None,
        **certainty((selected.score, parts.splits.holdout.targets), (test.accuracy[selected.student], test.targets)),
    )
    write_atomically(folder.result, result.json().encode())
    journal.attempt("the card", lambda: journal.text("card.md", card.markdown()))
    journal.attempt("the pictures", lambda: _draw(test, selected.student, journal))
    journal.attempt("the predictions", lambda: keep_predictions(test, selected.student, journal))
    model = journal.attempt("the model", lambda: journal.model(partial(student_model, folder, pipeline.name)))
    return keep_model(folder, result, model, journal.tracker.uri)


def sync_run(folder: RunFolder, tracker: Tracker, info: RunInfo, warn: Callable[[str], None]) -> RunResult:
    """Send the tracker what it missed of a finished run, and return the run's result."""
    result = read_result(folder.result)
    model = sync(folder.path, tracker, info, warn, partial(student_model, folder, folder.facts["name"]))
    return keep_model(folder, result, model, tracker.uri if recorded_in(folder.path, tracker) else result.tracking_uri)


def keep_model(folder: RunFolder, result: RunResult, model: str | None, uri: str) -> RunResult:
    """Write into the result of a run where its student is stored as a model."""
    if model is None or (model, uri) == (result.model, result.tracking_uri):
        return result
    result = replace(result, model=model, tracking_uri=uri)
    write_atomically(folder.result, result.json().encode())
    return result


def student_model(folder: RunFolder, name: str, workshop: Path) -> StudentModel:
    """Read the student of a run as a model for the tracker: of images as it is, of texts together with its encoder.

    Raises:
        ModelRefused: a student that cannot be made a program.
        InputError: a student that cannot be read or written now.
    """
    student, card = read_student(folder.student)
    if not isinstance(student, Student):
        raise ModelRefused(f"{folder.student} holds a program already")
    model = StudentModel(
        network=student,
        example=example_inputs(card),
        outputs=(len(card.classes),),
        name=f"{name}-student",
        epoch=card.epoch,
        folder=workshop,
    )
    if student.encoder is None:
        return model
    program = workshop / "student.pt2"
    try:
        write_student(program, student, card, "pt2")
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise ModelRefused(str(error)) from error
    return replace(model, network=program, example=np.array(_TEXTS, dtype=object))


def count_parameters(module: nn.Module) -> int:
    """Count what is trained in a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def _write_student(
    parts: Parts, checkpointer: Checkpointer, folder: RunFolder, state: TrainerState
) -> tuple[Student, Card]:
    """Write the student's file."""
    selected, splits = state.selected, parts.splits
    with checkpointer.selector.selected_weights():
        student = Student.of(parts.pool, selected.student, splits.normaliser, splits.encoder)
    _require_finite(student, splits.holdout, next(parts.pool.parameters()).device)
    student = student.cpu()
    card = Card.of(
        checkpointer.facts,
        student=selected.student,
        epoch=selected.epoch,
        holdout_accuracy=selected.score,
        test_accuracy=state.test.accuracy[selected.student],
    )
    write_student(folder.student, student, card)
    return student, card


def _require_finite(student: Student, holdout: Examples, device: torch.device) -> None:
    """Refuse a student whose weights, buffers or logits on the holdout are not finite."""
    if not all_finite(student.state_dict().values()) or not all_finite([logits(student, holdout.inputs, device)]):
        raise RunFailed(
            "the selected student is not finite (its weights, or its logits on the holdout), so it is not handed over;"
            " a smaller optim.learning_rate usually helps"
        )


def _draw(test: Scores, selected: int, journal: Journal) -> None:
    journal.content("training.png", as_png(training_figure(journal.rows)))
    if len(test.accuracy) > 1:
        journal.content("diversity.png", as_png(diversity_figure(test.pairwise, selected)))
        agreed = agreement(test.predicted.numpy())
        journal.content("agreement.png", as_png(agreement_figure(agreed, selected)))


def _samples(pipeline: Pipeline, parts: Parts) -> int:
    """Count the own samples of all students over the whole training."""
    rows = sum(parts.subsets.sizes[group] for group in parts.subsets.reads)
    return rows * pipeline.run.passes_per_epoch * pipeline.run.epochs


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit of the repository in the current folder, if it is one."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return asked.stdout.strip() if asked.returncode == 0 else "unknown"
