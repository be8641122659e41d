"""The package as it is installed: one version, one command, and the dependencies that were tested."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import cgl_ignite

ROOT = Path(__file__).resolve().parents[1]
under_tox = pytest.mark.skipif("TOX_ENV_NAME" not in os.environ, reason="the constraints bind under tox")


def constraints() -> dict[str, Requirement]:
    """Read the constraints that hold for this Python."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {pin.name: pin for pin in pins if pin.marker is None or pin.marker.evaluate()}


def requirements(extra: str = "") -> list[Requirement]:
    """List what the installed package asks for on this Python."""
    asked = map(Requirement, importlib.metadata.requires("cgl_ignite"))
    return [need for need in asked if need.marker is None or need.marker.evaluate({"extra": extra})]


def test_the_version_is_the_newest_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## (\d\S*)", changelog, re.MULTILINE)[1] == cgl_ignite.__version__


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("cgl_ignite") == cgl_ignite.__version__


def test_the_version_is_read_without_loading_torch() -> None:
    program = "import sys, cgl_ignite; print(cgl_ignite.__version__, 'torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == [cgl_ignite.__version__, "False"]


def test_the_command_is_cgl() -> None:
    (command,) = importlib.metadata.entry_points(group="console_scripts", name="cgl")
    assert command.value == "cgl_ignite.cli.main:cgl"
    assert callable(command.load())


@pytest.mark.parametrize("extra", ["", "gpu", "timm", "onnx", "safetensors", "slurm", "test", "docs"])
def test_what_is_required_is_constrained_to_a_version_that_fits(extra: str) -> None:
    pins = constraints()
    for need in requirements(extra):
        (pin,) = pins[need.name].specifier
        assert pin.operator == "=="
        assert need.specifier.contains(pin.version), f"{pins[need.name]} does not satisfy {need}"


def test_the_hooks_have_the_constrained_versions() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    found = [Requirement(text) for text in re.findall(r"\w+==[\w.]+", hooks)]
    assert {need.name for need in found} == {"ruff", "codespell"}
    assert all(need.specifier == constraints()[need.name].specifier for need in found)


@under_tox
def test_the_constrained_versions_are_installed() -> None:
    pins = constraints()
    for need in requirements("test"):
        installed = Version(importlib.metadata.version(need.name))
        assert f"=={installed.public}" == str(pins[need.name].specifier), need.name
