from __future__ import annotations

import errno
import io

import pytest
import torch
from click.testing import CliRunner

from cgl_ignite.cli.main import cgl
from cgl_ignite.errors import (
    CglError,
    ConfigError,
    InputError,
    Interrupted,
    Problem,
    RunFailed,
    Unreadable,
    choices,
    nearest,
    shortage,
)


@pytest.mark.parametrize(("error", "code"), [(RunFailed, 1), (InputError, 2), (ConfigError, 2), (Interrupted, 130)])
def test_exit_codes(error: type[CglError], code: int) -> None:
    assert issubclass(error, CglError)
    assert error.exit_code == code


def test_a_config_error_says_everything() -> None:
    problems = [Problem("a.toml:1", "run.epochs", "is missing"), Problem("--set x", "", "must be KEY=VALUE")]
    error = ConfigError(iter(problems))
    assert error.problems == tuple(problems)
    assert str(error) == "a.toml:1: run.epochs: is missing\n--set x: must be KEY=VALUE"


def test_an_unreadable_input_has_a_name_and_a_fault() -> None:
    error = Unreadable("a.png", "cannot be read")
    assert (error.name, error.fault, error.exit_code) == ("a.png", "cannot be read", 2)
    assert str(error) == "a.png cannot be read"


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (iter("abc"), "'a', 'b' or 'c'")],
)
def test_choices(names: list[str], text: str) -> None:
    assert choices(names) == text


def test_nearest() -> None:
    assert nearest("epohcs", {"epochs": 1, "device": 2}) == "; did you mean 'epochs'?"
    assert nearest("epohcs", []) == ""


def test_a_writer_that_could_not_finish_does_not_hide_the_full_disk() -> None:
    """PyTorch's writer raises an error of its own while the one of the disk is handled."""

    class Full(io.RawIOBase):
        def write(self, content: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device", "/runs/checkpoint.pt")

    with pytest.raises((OSError, RuntimeError)) as caught:
        torch.save({"weights": torch.zeros(1000)}, Full())
    assert str(shortage(caught.value)).startswith("no space left on the disk (/runs/checkpoint.pt)")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (RuntimeError("could not create a primitive"), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), "out of memory"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out of memory"),
        (MemoryError(), "out of memory"),
        (OSError(errno.EMFILE, "Too many open files"), "too many open files"),
    ],
)
def test_what_is_missing_is_named(error: BaseException, message: str) -> None:
    assert str(shortage(error)).startswith(message)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), OSError(errno.EACCES, "Permission denied")])
def test_other_errors_are_no_shortage(error: BaseException) -> None:
    assert shortage(error) is None


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["evaluate", "student.pt", "digits"], "fewer rows need less (--limit)"),
        (["predict", "student.pt", "cat.png"], "fewer inputs at a time need less"),
        (["export", "latest"], "weights (--format state or safetensors) need less than a program"),
    ],
)
def test_the_advice_on_short_memory_is_for_the_verb(
    arguments: list[str], advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("load_student", "open_run"):
        monkeypatch.setattr(f"cgl_ignite.runs.{name}", _out_of_memory)
    answer = CliRunner().invoke(cgl, arguments)
    assert answer.exit_code == 1
    assert answer.stderr.startswith(f"error: out of memory; {advice}")
    assert "optim" not in answer.stderr and "--resume" not in answer.stderr


def test_the_advice_on_a_full_disk_outside_of_training_is_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/program")

    monkeypatch.setattr("cgl_ignite.runs.open_run", full)
    answer = CliRunner().invoke(cgl, ["export", "latest"])
    assert answer.stderr == "error: no space left on the disk (/tmp/program); free some, and try again\n"


def _out_of_memory(*_: object) -> None:
    raise MemoryError


def test_memory_that_is_missing_before_a_run_begins_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def assemble(*_: object, **__: object) -> None:
        raise RuntimeError("could not create a primitive")

    monkeypatch.setattr("cgl_ignite.catalogue.load_pipeline", assemble)
    answer = CliRunner().invoke(cgl, ["run", "digits.toml"])
    assert answer.exit_code == 1
    assert answer.stderr.startswith("error: out of memory; fewer batches at a time (run.batches_per_chunk = 1 ")
    assert "Traceback" not in answer.stderr
