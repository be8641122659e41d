from __future__ import annotations

import pytest

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
