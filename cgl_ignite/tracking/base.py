"""What a tracker is: a store of runs that may fail without stopping the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from cgl_ignite.errors import CglError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import nn
    from torch.export import ExportedProgram

__all__ = [
    "DatasetInfo",
    "MetricsRow",
    "ModelRefused",
    "RunInfo",
    "Status",
    "StillDown",
    "StudentModel",
    "Tracker",
    "TrackerError",
    "UnknownRun",
]

Status = Literal["FINISHED", "FAILED", "KILLED"]


class TrackerError(CglError):
    """The store cannot be reached or refuses a call; a journal keeps what it did not take."""


class StillDown(TrackerError):
    """The store has failed before, and has not answered since."""


class UnknownRun(TrackerError):
    """The store answers, but has no run of this id, as after it was deleted."""


class ModelRefused(CglError):
    """A student that cannot be made a model of the tracker, however often it is tried."""


@dataclass(frozen=True)
class DatasetInfo:
    """The data set of a run.

    Attributes:
        facts: what was read of it, such as rows and the digest of its files.
        source: where it comes from, as plain values.
    """

    name: str
    facts: Mapping[str, str]
    source: Mapping[str, Any]


@dataclass(frozen=True)
class RunInfo:
    """What a run is called and what it was started with; ``seed`` is None for a group of runs.

    Attributes:
        parent: the id of the run that groups the seeds of one invocation.
        dataset: None if it is not known.
    """

    experiment: str
    name: str
    seed: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None
    dataset: DatasetInfo | None = None


@dataclass(frozen=True)
class MetricsRow:
    """The values of one epoch, or those of the test set once training is complete (``final``)."""

    epoch: int
    time_ms: int
    values: Mapping[str, float]
    final: bool = False


@dataclass(frozen=True)
class StudentModel:
    """The selected student as it is handed over: the network in evaluation mode, on the CPU.

    Attributes:
        network: the ``pt2`` file that holds the student with its card and its tokenizer; or a network that is stored
            without names of classes.
        example: inputs of two samples (2, ...), of the file pixels as uint8 or raw strings; the batch stays free, the
            other sizes are fixed.
        outputs: the shape of the result for one sample, such as (classes,).
        requirements: what must be installed to run it; by default PyTorch alone, in this version.
        epoch: the metrics of this epoch, and those of the test set, are shown beside the model.
        description: of the student, in Markdown.
        tags: short facts about it.
        several_labels: whether the file names several labels for one sample.
        folder: where the tracker may write while it makes the model; left out, the system's folder of temporary files.
    """

    network: nn.Module | ExportedProgram | Path
    example: NDArray[Any]
    outputs: tuple[int, ...]
    name: str
    requirements: tuple[str, ...] = ()
    epoch: int = 0
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    several_labels: bool = False


class Tracker(Protocol):
    """A store of runs. Every method raises :class:`TrackerError` when the store fails, and only then.

    A method that is given the id of a run raises :class:`UnknownRun` where the store has no such run.

    Nothing is contacted before the first call of a method.
    """

    @property
    def uri(self) -> str:
        """Where the runs are."""
        ...

    def open(self, info: RunInfo) -> str:
        """Start a run, or with ``seed = None`` a group of runs, and return its id."""
        ...

    def reopen(self, run_id: str, info: RunInfo) -> None:
        """Go on with a run; a parameter that changed since is kept as a tag, and a run without a group gets one."""
        ...

    def status(self, run_id: str) -> str | None:
        """Return the status of a run, such as ``RUNNING``; None if the store has no such run."""
        ...

    def last_epoch(self, run_id: str) -> int:
        """Return the newest epoch that is recorded, 0 if there is none."""
        ...

    def log(self, run_id: str, rows: Sequence[MetricsRow]) -> None:
        """Record rows in one call."""
        ...

    def file(self, run_id: str, path: Path, folder: str) -> None:
        """Store a file with the run, below ``folder`` (``""``: at the top); the same name is replaced."""
        ...

    def model(self, run_id: str, model: StudentModel) -> str:
        """Store the selected student with the run, once, and return the URI it can be loaded from.

        Raises:
            ModelRefused: a student that cannot be stored; nothing of it is left.
        """
        ...

    def register(self, model: str, name: str) -> str:
        """Make a model, by its URI, a version of a registered model, once, and return the version."""
        ...

    def describe(self, run_id: str, text: str) -> None:
        """Give a run, or a group, a description in Markdown; an earlier one is replaced."""
        ...

    def close(self, run_id: str, status: Status) -> None:
        """End a run with its true status."""
        ...

    def renew(self) -> None:
        """Try the store with the next call, even if it has failed a short while ago."""
        ...
