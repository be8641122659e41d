"""Which process works on which cell of a comparison: a lock for each cell, and a file that says how far it is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from filelock import FileLock, Timeout

from cgl_ignite.comparison.cells import Cell
from cgl_ignite.errors import InputError
from cgl_ignite.mounts import lock_fault
from cgl_ignite.tracking.files import write_atomically

__all__ = ["Claims", "refuse_separate_locks"]


class Claims:
    """The cells that this process has taken, in the folder of a comparison; the system lets go of them at its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "claims"
        self._held: dict[str, FileLock] = {}

    def take(self, cell: Cell) -> bool:
        """Take a cell, unless another process works on it."""
        if cell.label in self._held:
            return True
        self.folder.mkdir(exist_ok=True)
        lock = FileLock(self._file(cell).with_suffix(".lock"), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        self._held[cell.label] = lock
        return True

    def release(self, cell: Cell) -> None:
        """Let go of a cell, if this process has it."""
        if (lock := self._held.pop(cell.label, None)) is not None:
            lock.release()

    def release_all(self) -> None:
        """Let go of all cells."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()

    def holds(self, cell: Cell) -> bool:
        """Say whether this process has a cell."""
        return cell.label in self._held

    def elsewhere(self, cell: Cell) -> bool:
        """Say whether another process works on a cell."""
        if self.holds(cell):
            return False
        taken = self.take(cell)
        self.release(cell)
        return not taken

    def publish(self, cell: Cell) -> None:
        """Write how far a cell of this process is."""
        write_atomically(self._file(cell), json.dumps(asdict(cell)).encode())

    def read(self, cell: Cell) -> Cell | None:
        """Read how far a cell is; None if nobody has worked on it."""
        try:
            return Cell(**json.loads(self._file(cell).read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{self._file(cell)}: not the state of a cell ({error}); remove it to go on") from error

    def forget(self, cell: Cell) -> None:
        """Remove what is known of a cell."""
        self._file(cell).unlink(missing_ok=True)

    def _file(self, cell: Cell) -> Path:
        return self.folder / f"{cell.key}.json"


def refuse_separate_locks(folder: Path) -> None:
    """Make sure that locks in a folder keep out the processes of other machines.

    Raises:
        InputError: they do not, or nobody knows.
    """
    if fault := lock_fault(folder):
        raise InputError(
            f"{folder}: several machines cannot share this folder, as {fault}; mount it so that locks hold (NFS with"
            " lock, Lustre with flock, CIFS without nobrl), or choose another tracking.folder"
        )
