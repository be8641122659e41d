"""What the training tells the person in front of it; drawn by :mod:`cgl_ignite.cli.render`.

The protocols name what is read and nothing else, so that a plain namespace will do in a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from cgl_ignite.config.schema import Pipeline
    from cgl_ignite.data import DataReport

__all__ = ["Losses", "NoScreen", "Progress", "Result", "Screen", "ShownScores", "ShownSelection", "Summary"]


@dataclass(frozen=True)
class Summary:
    """What is known when a run starts.

    Attributes:
        method: what it is called, be it its preset or a name of the user.
        samples: rows of the training and of the holdout part.
        parameters: of all students together.
        resumed: the epoch after which a run goes on, 0 for a fresh one.
        modality: what the students read.
        distillation: whether one student learns from frozen teachers, after the training of the pool.
    """

    pipeline: Pipeline
    method: str
    seed: int
    device: str
    samples: tuple[int, int]
    parameters: int
    folder: Path
    tracking_uri: str
    resumed: int = 0
    modality: str = "image"
    distillation: bool = False

    @property
    def students(self) -> int:
        """How many learn together."""
        return self.pipeline.method.students

    @property
    def epochs(self) -> int:
        """How many the training has."""
        return self.pipeline.run.epochs


class Losses(Protocol):
    """Mean training losses of an epoch, one value per student."""

    @property
    def ce(self) -> Sequence[float]: ...
    @property
    def kl(self) -> Sequence[float]: ...


class ShownScores(Protocol):
    """All students on one split: accuracy in percent, cross-entropy, pairwise distances."""

    @property
    def accuracy(self) -> Sequence[float]: ...
    @property
    def cross_entropy(self) -> Sequence[float]: ...
    @property
    def diversity(self) -> float | None: ...
    @property
    def pairwise(self) -> Sequence[Sequence[float]]: ...


class ShownSelection(Protocol):
    """The student (from 0) that is selected so far, at its epoch (from 1), and its holdout accuracy in percent."""

    @property
    def epoch(self) -> int: ...
    @property
    def student(self) -> int: ...
    @property
    def score(self) -> float: ...


class Progress(Protocol):
    """What is read of ``engine.state``; from ``training`` on only once an epoch has ended."""

    @property
    def epoch(self) -> int: ...
    @property
    def iteration(self) -> int: ...
    @property
    def epoch_length(self) -> int | None: ...
    @property
    def max_epochs(self) -> int | None: ...
    @property
    def paths(self) -> Any: ...
    @property
    def ramp(self) -> float: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def training(self) -> Losses: ...
    @property
    def holdout(self) -> ShownScores: ...
    @property
    def selected(self) -> ShownSelection: ...
    @property
    def samples_per_second(self) -> float: ...
    @property
    def peak_memory(self) -> int: ...


class Result(Protocol):
    """What is read of the result of a run."""

    @property
    def run_id(self) -> str: ...
    @property
    def selected_student(self) -> int: ...
    @property
    def selected_epoch(self) -> int: ...
    @property
    def holdout_accuracy(self) -> float: ...
    @property
    def holdout_standard_error(self) -> float | None: ...
    @property
    def test_accuracy(self) -> float: ...
    @property
    def mean_test_accuracy(self) -> float: ...
    @property
    def diversity(self) -> float | None: ...
    @property
    def metrics(self) -> Mapping[str, Any] | None: ...
    @property
    def diagnosis(self) -> str | None: ...
    @property
    def tracked(self) -> bool | None: ...
    @property
    def train_seconds(self) -> float: ...
    @property
    def checkpoint(self) -> str: ...
    @property
    def student(self) -> str: ...
    @property
    def tracking_uri(self) -> str: ...


class Screen(Protocol):
    """Shows a run while it goes on; no method waits for the device or fails the training."""

    def data(self, report: DataReport) -> None:
        """Show what is going to be read."""
        ...

    def start(self, summary: Summary) -> None:
        """Show what begins."""
        ...

    def iteration(self, state: Progress) -> None:
        """Show that an iteration has ended; cheap enough to be called after every one."""
        ...

    def epoch(self, state: Progress) -> None:
        """Show the students after an epoch."""
        ...

    def note(self, text: str) -> None:
        """Show one line beside the progress: a warning, or something worth knowing."""
        ...

    def finish(self, result: Result, model: str | None = None) -> None:
        """Show the result of a run and where everything is; ``model``: where the student is stored."""
        ...

    def interrupted(self, resume: str = "") -> None:
        """Show that the state is saved, and the command that goes on."""
        ...

    def failed(self, reason: str = "") -> None:
        """Show that the run has failed, and where it stood."""
        ...


class NoScreen:
    """Shows nothing; a screen that shows a few things only is a subclass."""

    def data(self, report: DataReport) -> None:
        """Say nothing."""

    def start(self, summary: Summary) -> None:
        """Say nothing."""

    def iteration(self, state: Progress) -> None:
        """Say nothing."""

    def epoch(self, state: Progress) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""

    def finish(self, result: Result, model: str | None = None) -> None:
        """Say nothing."""

    def interrupted(self, resume: str = "") -> None:
        """Say nothing."""

    def failed(self, reason: str = "") -> None:
        """Say nothing."""
