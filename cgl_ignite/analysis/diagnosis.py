"""One sentence about a finished run: does it over-fit, under-fit, or was it still learning?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cgl_ignite.analysis.chance import standard_error

__all__ = ["FEWEST_EPOCHS", "Outcome", "diagnose"]

PARTS = 8
"""The last eighth of the epochs is compared with the eighth before: late enough to tell how the training ended, and
means over several epochs do not hang on a lucky one. A learning rate that drops in this quarter adds to the rise."""
FEWEST_EPOCHS = PARTS
"""Fewer epochs have no eighth."""
RISING_ERRORS = 1.0
"""Standard errors of the holdout. Both means are of the same rows, so by chance they differ by much less than that."""
LARGE_GAP = 10.0
"""Points. A network that has learned its training rows well is usually some points worse on others, without a fault."""
GAP_ERRORS = 3.0
"""Standard errors of the holdout: what few rows show by chance is no gap."""
LOW_TRAINING = 90.0
"""Percent. A network that is large enough, and has learned long enough, gets more of its training rows right."""


@dataclass(frozen=True)
class Outcome:
    """What is known of the selected student when a run ends; accuracies are percentages.

    Attributes:
        training: accuracy on training rows, without augmentation.
        holdout: accuracy on the holdout, of ``rows`` rows.
        history: holdout accuracy after every epoch; empty if it is not known.
        students: how many learned together.
        divided: whether each student learned from a part of the training rows only.
        at_chance: whether the student is no better than always answering the most frequent class.
        distilled: whether it has learned from frozen teachers; then ``students`` is 1.
    """

    training: float
    holdout: float
    rows: int
    history: Sequence[float] = ()
    students: int = 1
    divided: bool = False
    at_chance: bool = False
    distilled: bool = False

    @property
    def rise(self) -> float | None:
        """Mean holdout accuracy of the last eighth of the epochs less that of the eighth before; None if too few."""
        if len(self.history) < FEWEST_EPOCHS:
            return None
        part = len(self.history) // PARTS
        return fmean(self.history[-part:]) - fmean(self.history[-2 * part : -part])

    @property
    def rising(self) -> bool:
        """Whether the holdout accuracy still rose: by more than its standard error, and by more than one row."""
        least = max(RISING_ERRORS * standard_error(self.holdout, self.rows), 100 / self.rows)
        return self.rise is not None and self.rise > least

    @property
    def overfits(self) -> bool:
        """Whether training exceeds holdout accuracy by far, and by more than chance explains."""
        gap = self.training - self.holdout
        return gap > LARGE_GAP and gap > GAP_ERRORS * standard_error(self.holdout, self.rows)


def diagnose(outcome: Outcome) -> str:
    """Say in one sentence how the selected student of a run has learned, and what that suggests.

    The first of these that holds: no better than chance, though nothing is memorised; the holdout accuracy still rose;
    over-fitting; training accuracy is low. With fewer than :data:`FEWEST_EPOCHS` epochs only the gap is judged.

    Example:
        >>> diagnose(Outcome(training=99.2, holdout=81.0, rows=5000))
        'training accuracy 99.2 %, holdout 81.0 %: the student over-fits; stronger augmentation (data.augment) or more
        data may help, and so may a pool such as dml (method.preset), whose training costs more'
    """
    figures = f"training accuracy {outcome.training:.1f} %, holdout {outcome.holdout:.1f} %"
    return f"{figures}: {_finding(outcome)}"


def _finding(outcome: Outcome) -> str:
    epochs = _epochs(outcome)
    if outcome.at_chance and not outcome.overfits:
        return f"no better than chance; another optim.learning_rate or more epochs ({epochs}) may help"
    if outcome.rising:
        return f"holdout still rising ({outcome.rise:+.1f} points in the last quarter); train longer ({epochs})"
    if outcome.overfits:
        return _overfitting(outcome)
    if outcome.rise is None:
        return "the gap shows no over-fitting; so few epochs tell no more"
    if outcome.training < LOW_TRAINING:
        who = "students under-fit" if outcome.students > 1 else "student under-fits"
        return f"no longer rising; the {who}, so a larger backbone or a higher optim.learning_rate may help"
    return "no longer rising; nothing is obviously wrong"


def _epochs(outcome: Outcome) -> str:
    return "distil.epochs" if outcome.distilled else "run.epochs"


def _overfitting(outcome: Outcome) -> str:
    data = "more data for each student (method.subsets)" if outcome.divided else "more data"
    if outcome.training < LOW_TRAINING:
        who = "students over-fit, but have" if outcome.students > 1 else "student over-fits, but has"
        longer = f"longer training ({_epochs(outcome)}) or {data} may help more than stronger augmentation"
        return f"the {who} not learned all training rows yet; {longer} (data.augment)"
    helpful = f"stronger augmentation (data.augment) or {data} may help"
    if outcome.students > 1:
        return f"the students over-fit; {helpful}, and collaboration pays most here"
    if outcome.distilled:
        return f"the student over-fits; {helpful}"
    return f"the student over-fits; {helpful}, and so may a pool such as dml (method.preset), whose training costs more"
