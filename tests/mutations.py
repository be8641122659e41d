"""What fuzz tests of single files share: a file that is mutated, and what a command must say of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import NamedTuple

from click.testing import Result

__all__ = ["FuzzedFile", "Mutation", "answer_of"]

SECONDS = 20.0
"""No case may take longer, on a busy machine either."""


class FuzzedFile(NamedTuple):
    """The content of a file, its name or ending, and the exit code that it must get, where that is certain."""

    name: str
    content: bytes
    code: int | None = None


Mutation = Callable[[random.Random, FuzzedFile], FuzzedFile]


def answer_of(file: FuzzedFile, read: Callable[[], Result], *case: object) -> Result:
    """Read a file, and make sure of an answer: in time, without a traceback, and an error where it is refused."""
    started = time.monotonic()
    result = read()
    told = (*case, file.name, file.content[:300], result.output[-1000:], result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), told
    assert result.exit_code in ((0, 2) if file.code is None else (file.code,)), told
    assert (result.exit_code == 2) == ("error: " in result.stderr), told
    assert time.monotonic() - started < SECONDS, told
    return result
