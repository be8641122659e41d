"""How the selected student of a run has learned: its accuracy on training rows, and what that suggests."""

from __future__ import annotations

from typing import Any

from cgl_ignite.analysis.diagnosis import Outcome, diagnose
from cgl_ignite.data import Examples, Subsets
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.pipeline.active import ActiveRun
from cgl_ignite.seeding import stream
from cgl_ignite.selection import Selected
from cgl_ignite.student import Student, measure

__all__ = ["TRAINING_ROWS", "diagnose_run", "learned_rows"]

TRAINING_ROWS = 2000
"""At most so many training rows are evaluated; the standard error of an accuracy is then at most 1.1 points."""


def diagnose_run(run: ActiveRun, selected: Selected, student: Student, at_chance: bool) -> dict[str, Any]:
    """Return ``training_accuracy`` of the selected student and the ``diagnosis`` of its run.

    The student is evaluated once, on rows that it has learned, without augmentation. That takes a forward pass of this
    one student over :data:`TRAINING_ROWS` rows at most, which is less than a test set usually takes.

    Args:
        run: whose training is complete.
        selected: the epoch and the student.
        student: with the weights of that epoch; it is moved to the device of the run.
        at_chance: whether it is no better than always answering the most frequent class.
    """
    parts, method, device = run.parts, run.pipeline.method, run.context.device
    splits, subsets, history = parts.splits, parts.subsets, run.selector.history
    rows = learned_rows(splits.train, subsets, selected, run.seed)
    training = measure(student.to(device), rows, device, parts.task).accuracy
    known = len(history) == run.pipeline.run.epochs - run.before.epochs
    outcome = Outcome(
        training=training,
        holdout=selected.score,
        rows=len(splits.holdout),
        history=[accuracy[selected.student] for accuracy, *_ in history] if known else (),
        students=method.students,
        divided=max(subsets.sizes) < len(splits.train),
        at_chance=at_chance,
        distilled=run.before.epochs > 0,
    )
    return {"training_accuracy": training, "diagnosis": diagnose(outcome)}


def learned_rows(train: Examples, subsets: Subsets, selected: Selected, seed: int) -> Examples:
    """Choose :data:`TRAINING_ROWS` rows of the sub-set that a student has read in its epoch, or all if it has fewer."""
    rows = subsets.groups(selected.epoch - 1)[subsets.group_of[selected.student]]
    if len(rows) > TRAINING_ROWS:
        rows = rows[choose_stratified(train.targets[rows], TRAINING_ROWS, stream(seed, "diagnosis"))]
    return train.take(rows)
