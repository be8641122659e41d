from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from cgl_ignite import __version__
from cgl_ignite.cli import main
from cgl_ignite.cli.main import VERBS, cgl
from cgl_ignite.errors import ConfigError, InputError, Interrupted, Problem, RunFailed

HEAVY = {"torch", "mlflow", "ignite", "pydantic", "torchvision", "numpy", "rich"}


PROGRAM = """
import sys
from pathlib import Path
from cgl_ignite.cli.main import cgl
try:
    cgl(prog_name="cgl")
finally:
    print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["new", "--dataset", "cifar10", "--backbone", "resnet18"]]
)
def test_help_and_new_load_nothing_heavy(arguments: list[str]) -> None:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "click" in done.stderr.split()
    assert HEAVY.isdisjoint(done.stderr.split())


def test_check_loads_torch_and_little_else() -> None:
    """PyTorch's compiler, Ignite and torchvision take longer to load than all checks."""
    pipeline = Path(__file__).resolve().parents[2] / "pipelines" / "digits_resnet.toml"
    command = [sys.executable, "-c", PROGRAM, "check", str(pipeline)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = set(done.stderr.split())
    assert "torch" in loaded
    assert loaded.isdisjoint({"ignite", "matplotlib", "mlflow", "sympy", "torch._dynamo", "torchvision"})


def test_help_lists_every_verb_with_its_line() -> None:
    shown = CliRunner().invoke(cgl, ["--help"])
    assert shown.exit_code == 0
    for verb, (_, text) in VERBS.items():
        assert verb in shown.stdout
        assert len(text) <= 66
        assert text in shown.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_there(verb: str) -> None:
    assert CliRunner().invoke(cgl, [verb, "--help"]).exit_code == 0


def test_version() -> None:
    assert CliRunner().invoke(cgl, ["--version"]).stdout == f"cgl {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "there is no command 'chek'; did you mean 'check'?"),
        (["--quick"], "No such option"),
        (["new"], "Missing option"),
        (["new", "--dataset", "cifar", "--backbone", "resnet8"], "'cifar10'"),
        (["check"], "Missing argument"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(cgl, arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert message in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunFailed("the loss is not finite"), 1),
        (InputError("no such folder"), 2),
        (ConfigError([Problem("a.toml:3", "run.epochs", "is missing")]), 2),
        (Interrupted("state saved"), 130),
        (KeyboardInterrupt("interrupted"), 130),
        (OSError(5, "Input/output error", "mlruns/checkpoint.pt"), 1),
    ],
)
def test_errors_become_one_message_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    @click.command()
    def fails() -> None:
        raise error

    monkeypatch.setitem(VERBS, "fails", ("somewhere:fails", "Fail."))
    monkeypatch.setattr(main, "import_module", lambda module: SimpleNamespace(fails=fails))
    done = CliRunner().invoke(cgl, ["fails"])
    assert (done.exit_code, done.stdout, done.stderr) == (code, "", f"error: {error}\n")
