"""The state of a run in one file, written at intervals, and the way back from it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from ignite.engine import Engine, Events
from ignite.handlers import DiskSaver

from cgl_ignite.config.schema import CheckpointEvery
from cgl_ignite.errors import InputError, RunFailed, first_line
from cgl_ignite.handlers.averages import TrainingAverages
from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.handlers.state import state_of
from cgl_ignite.pool.limits import read_archive

if TYPE_CHECKING:
    from cgl_ignite.handlers.gathering import Gathering

__all__ = ["Checkpointer", "Stateful", "all_finite", "read_checkpoint"]

FORMAT = 2


class Stateful(Protocol):
    """Anything with a state that must survive a kill."""

    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


class Checkpointer:
    """Save what is trained, counters, sums and selection to ``checkpoint.pt``, atomically.

    Paths, sub-sets, batches and sub-groups are functions of the seed and need no saving; the paths are saved all the
    same, to be compared on the way back.

    Args:
        folder: the run's folder.
        trained: what training changes, by name.
        averages: sums of the running epoch, and the time spent.
        selector: the selection so far, with its weights.
        every: the interval; the last epoch is always saved.
        facts: plain values saved beside the parts.
        gathering: brings together what several processes hold; all of them save, and the first one writes.
    """

    def __init__(
        self,
        folder: Path,
        trained: Mapping[str, Stateful],
        averages: TrainingAverages,
        selector: StudentSelector,
        every: CheckpointEvery,
        facts: Mapping[str, Any],
        gathering: Gathering | None = None,
    ) -> None:
        self.path = folder / "checkpoint.pt"
        self.selector = selector
        self._trained = tuple(trained)
        self.parts: dict[str, Stateful] = {**trained, "averages": averages, "selector": selector}
        self.every = every
        self.facts = dict(facts)
        self.gathering = gathering
        self._disk = DiskSaver(str(folder), require_empty=False)
        self._resumed: dict[str, Any] | None = None
        self._saved_at = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Restore when the run starts; save at the interval."""
        engine.add_event_handler(Events.STARTED, self.restore)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._after_epoch)
        if self.every.epochs is None:
            engine.add_event_handler(Events.ITERATION_COMPLETED, self._after_iteration)

    def resume(self, engine: Engine, checkpoint: dict[str, Any]) -> None:
        """Give a fresh engine the counters of a checkpoint; the rest follows when the run starts.

        Raises:
            InputError: counters that do not go together.
        """
        try:
            engine.load_state_dict(checkpoint["trainer"])
        except ValueError as error:
            raise InputError(f"{self.path}: its counters do not fit ({first_line(error)})") from error
        self._resumed = checkpoint

    def restore(self, engine: Engine) -> None:
        """Load every part, once the students are established.

        Raises:
            InputError: the checkpoint's students have other paths, or a part of it does not fit.
        """
        self.facts["paths"] = state_of(engine).paths.tolist()
        if self._resumed is None:
            return
        if self._resumed["facts"]["paths"] != self.facts["paths"]:
            raise InputError(f"{self.path}: the paths of its students are not those this pipeline and seed draw")
        for name, part in self.parts.items():
            self._load(name, part, self._resumed.get(name, {}))
        if self.selector.selected is not None:
            state_of(engine).selected = self.selector.selected
        self._resumed = None

    def _load(self, name: str, part: Stateful, state: dict[str, Any]) -> None:
        try:
            part.load_state_dict(state)
        except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"{self.path}: its part {name!r} does not fit ({first_line(error)})") from error

    def save(self, engine: Engine) -> None:
        """Write the state as it is now.

        Raises:
            RunFailed: weights that are not finite; the file before is left as it is.
        """
        if self.gathering is not None:
            self.gathering(engine)
        state = {name: part.state_dict() for name, part in self.parts.items()}
        if not all_finite(value for name in self._trained for value in state[name].values()):
            raise RunFailed(
                f"weights are not finite after iteration {state_of(engine).iteration}, so they are not saved; a smaller"
                f" optim.learning_rate (now {state_of(engine).learning_rate:g}) usually helps"
            )
        trainer = {key: getattr(state_of(engine), key) for key in ("epoch_length", "iteration", "max_epochs")}
        self._disk({"format": FORMAT, "facts": self.facts, "trainer": trainer, **state}, self.path.name)
        self._saved_at = time.monotonic()

    def _after_epoch(self, engine: Engine) -> None:
        done = state_of(engine).epoch == state_of(engine).max_epochs
        if done or (self.every.epochs and state_of(engine).epoch % self.every.epochs == 0):
            self.save(engine)

    def _after_iteration(self, engine: Engine) -> None:
        due = self.every.iterations and state_of(engine).iteration % self.every.iterations == 0
        late = self.every.seconds and time.monotonic() - self._saved_at >= self.every.seconds
        if self.every.seconds and self.gathering is not None:
            late = self.gathering.anyone(bool(late))
        if due or late:
            self.save(engine)


def all_finite(values: Iterable[Any]) -> bool:
    """Tell whether all tensors among these values are finite; a device is asked once."""
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    return not tensors or bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint of a run.

    Raises:
        InputError: a file that is not there, is damaged, or is no checkpoint of this program.
    """
    try:
        checkpoint = read_archive(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such checkpoint") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable checkpoint ({first_line(error)})") from error
    known = isinstance(checkpoint, dict) and type(checkpoint.get("format")) is int
    if not isinstance(checkpoint, dict) or not known or checkpoint["format"] != FORMAT:
        raise InputError(f"{path}: not a checkpoint of this program (format {FORMAT} expected)")
    return checkpoint
