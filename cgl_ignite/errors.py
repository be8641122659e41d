"""Errors that reach the user: one clear message each, and the exit code of the command."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

__all__ = [
    "CglError",
    "ConfigError",
    "InputError",
    "Interrupted",
    "Problem",
    "RunFailed",
    "Shortage",
    "Unreadable",
    "choices",
    "escaped",
    "escaped_lines",
    "first_line",
    "listed",
    "nearest",
    "shortage",
    "shortened",
]

_CONTROL = r"\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""C0, DEL and C1, what breaks lines, and what turns the direction of writing."""
_UNSAFE = re.compile(f"[{_CONTROL}]")
_UNSAFE_WITHIN_LINES = re.compile(f"(?!\n)[{_CONTROL}]")


class CglError(Exception):
    """The base of every error that the command line prints without a traceback."""

    exit_code = 1


class RunFailed(CglError):
    """The run itself failed: a loss that is not finite, or memory that is not there."""

    exit_code = 1


class InputError(CglError):
    """What the user gave is wrong: configuration, arguments, data or checkpoint.

    Args:
        message: what is wrong, and what would be right.
        key: of the pipeline, if it is the value of one.
        example: lines of code that help, shown below the message; they hold nothing that the user gave.
    """

    exit_code = 2

    def __init__(self, message: str, key: str | None = None, example: str = "") -> None:
        told = f"{key}: {message}" if key else message
        super().__init__(f"{told}\n{example}" if example else told)
        self.message = message
        self.key = key
        self.example = example


class Unreadable(InputError):
    """One of several inputs cannot be read: its ``name``, and why, as the rest of a sentence (``fault``)."""

    def __init__(self, name: str, fault: str) -> None:
        super().__init__(f"{name} {fault}")
        self.name = name
        self.fault = fault


class Interrupted(CglError):
    """Ctrl-C or SIGTERM; the state has been saved and the run can be resumed."""

    exit_code = 130


@dataclass(frozen=True)
class Problem:
    """One fault of a pipeline: where it stands, which key, and what would be right; ``example``: code that helps."""

    where: str
    key: str
    message: str
    example: str = ""

    def __str__(self) -> str:
        parts = (self.where, shortened(self.key), self.message)
        told = escaped(": ".join(filter(None, parts)))
        return f"{told}\n{self.example}" if self.example else told


class ConfigError(InputError):
    """All faults of a pipeline together, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the closest valid name, as a clause to append to a message.

    Example:
        >>> nearest("studnets", ["students", "routing"])
        "; did you mean 'students'?"
        >>> nearest("xyz", ["students"])
        ''
    """
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def choices(names: Iterable[str]) -> str:
    """List what is allowed: ``'a', 'b' or 'c'``.

    Example:
        >>> choices(["best", "last", "random"])
        "'best', 'last' or 'random'"
    """
    quoted = [repr(name) for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else "".join(quoted)


def first_line(error: BaseException) -> str:
    r"""Tell an error in one line: the first of its message, or its type if it has none.

    Example:
        >>> first_line(ValueError("no such layer\n  in line 3 ..."))
        'no such layer'
        >>> first_line(KeyboardInterrupt())
        'KeyboardInterrupt'
    """
    return str(error).strip().partition("\n")[0] or type(error).__name__


def listed(faults: Sequence[object], most: int = 10) -> str:
    """List faults one a line, at most this many, and then the number of the others.

    Example:
        >>> listed(["a is missing", "b is missing", "c is missing"], most=2).splitlines()
        ['a is missing', 'b is missing', 'and 1 more']
    """
    more = [f"and {len(faults) - most} more"] if len(faults) > most else []
    return "\n".join([*map(escaped, faults[:most]), *more])


def escaped(text: object) -> str:
    r"""Write control characters as escapes, new lines too.

    Example:
        >>> print(escaped("cat\x1b[2K\n\u202edog"))
        cat\x1b[2K\n\u202edog
    """
    return _UNSAFE.sub(_escape, str(text))


def escaped_lines(text: object) -> str:
    """Write control characters as escapes, all but new lines."""
    return _UNSAFE_WITHIN_LINES.sub(_escape, str(text))


def shortened(text: str, most: int = 200) -> str:
    """Cut a text off behind ``most`` characters, and say how many it had.

    Example:
        >>> shortened("x" * 5000, most=3)
        'xxx... (5,000 characters)'
    """
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def _escape(found: re.Match[str]) -> str:
    return found.group().encode("unicode_escape").decode("ascii")


_SHORTAGES = {
    errno.ENOMEM: "memory",
    errno.ENOSPC: "space",
    errno.EDQUOT: "space",
    errno.EMFILE: "files",
    errno.ENFILE: "files",
}
_TOLD = {
    "memory": "out of memory",
    "space": "no space left on the disk{}; free some",
    "files": "too many open files{}; allow more with ulimit -n",
}
_LESS_TO_TRAIN = (
    "fewer batches at a time (run.batches_per_chunk = 1 changes no result), a smaller optim.batch_size"
    " or a narrower backbone need less; cgl show says how much"
)
_SAID_OF_MEMORY = "allocate memory", "could not create a primitive", "bad_alloc", "out of memory"
"""What PyTorch and its libraries say of memory that is not there, in errors of no type of their own."""


@dataclass(frozen=True)
class Shortage:
    """A resource that was short: ``memory``, ``space`` on the disk or open ``files``, and the file in question."""

    resource: str
    file: str | None = None

    def __str__(self) -> str:
        return self._told().partition(";")[0]

    def in_training(self) -> str:
        """Say what was short, and what helps a run."""
        return self.remedied(_LESS_TO_TRAIN, "--resume goes on from the last checkpoint")

    def remedied(self, less_memory: str, then: str) -> str:
        """Say what was short, and what helps: what takes less memory, or what to do ``then``, with more of the rest."""
        return f"{self}; {less_memory}" if self.resource == "memory" else f"{self._told()}, and {then}"

    def _told(self) -> str:
        return _TOLD[self.resource].format(f" ({self.file})" if self.file else "")


def shortage(error: BaseException) -> Shortage | None:
    """Say which resource an error comes from: memory, disk space or open files; None if it comes from none of them.

    An error that was raised while another one was handled hides that one, as the writer of a file does that could not
    be completed; so the whole chain counts.

    Example:
        >>> str(shortage(OSError(28, "No space left on device", "/runs/metrics.jsonl")))
        'no space left on the disk (/runs/metrics.jsonl)'
        >>> shortage(OSError(28, "No space left on device")).in_training()
        'no space left on the disk; free some, and --resume goes on from the last checkpoint'
        >>> str(shortage(RuntimeError("could not create a primitive")))
        'out of memory'
        >>> shortage(ValueError("no such layer"))
    """
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in _SHORTAGES:
            return Shortage(_SHORTAGES[one.errno], one.filename)
        said = isinstance(one, RuntimeError) and any(words in str(one) for words in _SAID_OF_MEMORY)
        if said or isinstance(one, MemoryError):
            return Shortage("memory")
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, and what it was raised from or while it was handled."""
    seen: list[BaseException] = []
    found: BaseException | None = error
    while found is not None and found not in seen:
        yield found
        seen.append(found)
        found = found.__cause__ or found.__context__
