"""Arrow reads ahead in threads of its own, which have to let go of a Python file before the interpreter ends."""

from __future__ import annotations

import atexit
import time
import weakref
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from cgl_ignite.data.text.tables.stream import TableStream

__all__ = ["csv_batches"]

PATIENCE_SECONDS = 5.0
"""How long a block that is being read may take when the reading is stopped."""


class _Handle:
    """All that arrow has of a stream."""

    closed = False

    def __init__(self, stream: TableStream) -> None:
        self.read = stream.read

    def close(self) -> None:
        """Leave the file to whoever opened it."""


def csv_batches(stream: TableStream, *options: Any) -> Generator[pa.RecordBatch, None, None]:
    """Yield the batches of a table; ``options`` are those of ``pyarrow.csv.open_csv``.

    However the reading ends, arrow's threads have let go of the stream afterwards: a thread that still calls Python
    when the interpreter ends aborts the process. A reading that nobody has ended, for instance because a traceback
    holds it, ends with the process.
    """
    from pyarrow import csv

    handle = _Handle(stream)
    held = weakref.ref(handle)
    readers: list[Any] = []

    def end() -> None:
        while readers:
            readers.pop().close()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while held() is not None and time.monotonic() < deadline:
            time.sleep(0.001)

    atexit.register(end)
    try:
        try:
            readers.append(csv.open_csv(handle, *options))
        finally:
            del handle
        while readers:
            try:
                batch = readers[0].read_next_batch()
            except StopIteration:
                break
            yield batch
    finally:
        end()
        atexit.unregister(end)
