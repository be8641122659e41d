"""The end of a run: its selected student, its result, and what is drawn and stored of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from textwrap import shorten

import numpy as np
import torch

from cgl_ignite.analysis.chance import certainty
from cgl_ignite.data import Examples
from cgl_ignite.errors import InputError, RunFailed
from cgl_ignite.handlers.checkpoint import all_finite
from cgl_ignite.handlers.state import TrainerState
from cgl_ignite.pipeline.active import ActiveRun
from cgl_ignite.pipeline.artifacts import keep_layers, keep_pictures, keep_predictions
from cgl_ignite.pipeline.assemble import count_parameters
from cgl_ignite.pipeline.diagnosis import diagnose_run
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.metrics import measured_metrics
from cgl_ignite.pipeline.result import RunResult, read_result
from cgl_ignite.student import Card, Student, logits, read_student, write_student
from cgl_ignite.tracking import ModelRefused, RunInfo, StudentModel, Tracker, is_settled, recorded_in, sync
from cgl_ignite.tracking.files import write_atomically

__all__ = ["hand_over", "student_model", "sync_run"]

_TAG_LENGTH = 500
_TEXTS = ("The food was cold.", "Friendly people, and worth every penny!")


def hand_over(run: ActiveRun, state: TrainerState) -> RunResult:
    """Write the selected student and the result of a run, then its pictures, predictions and model.

    The student and the result count: what fails after them is a note. The predictions come after the pictures, as a
    run that was killed with predictions is complete (:attr:`RunFolder.complete`).
    """
    journal, folder, selected = run.journal, run.folder, state.selected
    student, card = _write_student(run, state)
    result = _result(run, state, student)
    write_atomically(folder.result, result.json().encode())
    journal.attempt("the card", lambda: journal.text("card.md", card.markdown()))
    journal.attempt("the pictures", lambda: keep_pictures(state.test, selected.student, journal))
    journal.attempt("the picture of the layers", lambda: keep_layers(run.parts.operations, run.parts.costs, journal))
    journal.attempt("the predictions", lambda: keep_predictions(state.test, selected.student, journal))
    model = journal.attempt("the model", lambda: journal.model(partial(student_model, folder, run.pipeline.name)))
    return _keep_model(folder, result, model, journal.tracker.uri)


def _result(run: ActiveRun, state: TrainerState, student: Student) -> RunResult:
    """Tell what a run has reached; without a diagnosis if that fails."""
    pipeline, folder, holdout = run.pipeline, run.folder, run.parts.splits.holdout
    selected, test, seconds = state.selected, state.test, run.averages.seconds
    sure = certainty((selected.score, holdout.targets), (test.accuracy[selected.student], test.targets))
    diagnosed = run.journal.attempt("the diagnosis", lambda: diagnose_run(run, selected, student, sure["at_chance"]))
    return RunResult(
        run_id=folder.run_id,
        seed=run.seed,
        method=run.context.method,
        dataset=pipeline.data.kind,
        backbone=pipeline.backbone.kind,
        students=run.context.pipeline.method.students,
        selected_student=selected.student,
        selected_epoch=selected.epoch,
        holdout_accuracy=selected.score,
        test_accuracy=test.accuracy[selected.student],
        mean_test_accuracy=fmean(test.accuracy),
        diversity=test.diversity,
        parameters=run.parameters,
        parameters_student=count_parameters(student),
        train_seconds=seconds,
        samples_per_second=run.samples / max(seconds, 1e-9),
        checkpoint=str(folder.checkpoint),
        tracking_uri=run.journal.tracker.uri,
        student=str(folder.student),
        model=None,
        metrics=measured_metrics(pipeline, test, selected.student, run.parts.splits.classes),
        **sure,
        **(diagnosed or {}),
    )


def sync_run(folder: RunFolder, tracker: Tracker, info: RunInfo, warn: Callable[[str], None]) -> RunResult:
    """Send the tracker what it missed of a finished run, and return the run's result."""
    result = read_result(folder.result)
    folder = folder.in_group(info.parent)
    model = sync(folder.path, tracker, info, warn, partial(student_model, folder, folder.facts["name"]))
    return _keep_model(folder, result, model, tracker.uri if recorded_in(folder.path, tracker) else result.tracking_uri)


def _keep_model(folder: RunFolder, result: RunResult, model: str | None, uri: str) -> RunResult:
    """Write into the result of a run where its student is stored as a model."""
    if model is not None and (model, uri) != (result.model, result.tracking_uri):
        result = replace(result, model=model, tracking_uri=uri)
        write_atomically(folder.result, result.json().encode())
    return replace(result, tracked=is_settled(folder.path))


def student_model(folder: RunFolder, name: str, workshop: Path) -> StudentModel:
    """Read the student of a run as a model for the tracker: a program together with its card and its tokenizer.

    Raises:
        ModelRefused: a student that cannot be made a program.
        InputError: a student that cannot be read or written now.
        RunFailed: memory or disk space that is short.
    """
    student, card = read_student(folder.student)
    if not isinstance(student, Student):
        raise ModelRefused(f"{folder.student} holds a program already")
    program = workshop / "student.pt2"
    try:
        write_student(program, student, card, "pt2")
    except InputError as error:
        if isinstance(error.__cause__, OSError):
            raise
        raise ModelRefused(str(error)) from error
    pixels = np.random.default_rng(0).integers(0, 256, (2, *card.shape), np.uint8)
    return StudentModel(
        network=program,
        example=pixels if student.tokenizer is None else np.array(_TEXTS, dtype=object),
        outputs=(len(card.classes),),
        name=f"{name}-student",
        epoch=card.epoch,
        description=card.markdown(_use(card)),
        tags=_facts_shown(card),
        folder=workshop,
        several_labels=card.labelled.several_labels,
    )


def _use(card: Card) -> str:
    """Tell how a student is used that the tracker has stored as a model."""
    pixels = f"pixels from 0 to 255, uint8 {' x '.join(map(str, ('N', *card.shape)))}"
    reads = pixels if card.encoding is None else "a list of texts"
    named = "its `label`, the `probability` of that"
    if card.labelled.several_labels:
        named = "each `label` with a probability above 0.5, the `probability` of each"
    return (
        f"`mlflow.pyfunc.load_model(...).predict(...)` reads {reads}, and returns a table with a row for each:"
        f" {named}, and the `probabilities` of all classes."
    )


def _facts_shown(card: Card) -> dict[str, str]:
    """Tell what stands beside a student's model in the tracker."""
    accuracies = {"holdout_accuracy": card.holdout_accuracy, "test_accuracy": card.test_accuracy}
    return {
        "method": card.method,
        "student": str(card.student),
        "epoch": str(card.epoch),
        **{name: f"{value:.2f} %" for name, value in accuracies.items() if value is not None},
        "classes": shorten(", ".join(card.classes), _TAG_LENGTH, placeholder=" ..."),
    }


def _write_student(run: ActiveRun, state: TrainerState) -> tuple[Student, Card]:
    """Write the student's file.

    Raises:
        RunFailed: weights, buffers or logits on the holdout that are not finite.
    """
    selected, parts, splits = state.selected, run.parts, run.parts.splits
    with run.selector.selected_weights():
        student = Student.of(parts.pool, selected.student, splits.normaliser, splits.tokenizer)
    device = next(parts.pool.parameters()).device
    if not _is_finite(student, splits.holdout, device):
        raise RunFailed(
            "the selected student is not finite (its weights, or its logits on the holdout), so it is not handed over;"
            " a smaller optim.learning_rate usually helps"
        )
    student = student.cpu()
    measured = measured_metrics(run.pipeline, state.test, selected.student, splits.classes)
    card = Card.of(
        run.facts,
        student=selected.student,
        epoch=selected.epoch,
        holdout_accuracy=selected.score,
        test_accuracy=state.test.accuracy[selected.student],
        metrics={name: value for name, value in measured.items() if isinstance(value, float)},
    )
    write_student(run.folder.student, student, card)
    return student, card


def _is_finite(student: Student, holdout: Examples, device: torch.device) -> bool:
    """Tell whether weights, buffers and logits on the holdout are all finite."""
    if not all_finite(student.state_dict().values()):
        return False
    try:
        logits(student, holdout.inputs, device)
    except InputError:
        return False
    return True
