"""The verbs take a student in every format, and refuse what is not one with one message."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from cgl_ignite.pipeline import RunResult

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("safetensors", reason="safetensors is not installed")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch", "ignore::FutureWarning:torch")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, [*map(str, arguments)])


def close(found: Any, expected: Any) -> bool:
    """Compare what JSON holds, floats up to rounding."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(close(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(close, found, expected))
    return (
        bool(found == pytest.approx(expected, rel=1e-4, abs=1e-4)) if isinstance(expected, float) else found == expected
    )


@pytest.mark.parametrize("form", ["onnx", "safetensors"])
def test_export_evaluate_and_predict(
    result: RunResult, folder: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save("picture.png")
    file = f"student.{form}"
    done = invoke("export", "latest", "--format", form, "--folder", folder)
    assert (done.exit_code, done.stdout) == (0, f"{file}\n"), done.stderr
    assert "## Without cgl_ignite" in Path(f"{file}.md").read_text()
    measured, expected = (invoke("evaluate", which, "digits", "--json").stdout for which in (file, result.student))
    assert close(json.loads(measured), json.loads(expected))
    found, given = (invoke("predict", which, "picture.png", "--json").stdout for which in (file, result.student))
    (found,), (given,) = json.loads(found)["predictions"], json.loads(given)["predictions"]
    assert found["label"] == given["label"]
    assert found["probability"] == pytest.approx(given["probability"], abs=1e-5)

    content = Path(file).read_bytes()
    Path("other.pt2").write_bytes(content)
    Path(f"half.{form}").write_bytes(content[: len(content) // 2])
    package = {"onnx": "onnxruntime", "safetensors": "safetensors"}[form]
    for name, message, missing in (
        ("other.pt2", f"other.pt2: its name is one of format 'pt2', but its content is of format '{form}'", {}),
        (f"half.{form}", f"half.{form}: ", {}),
        (file, f"pip install 'cgl_ignite[{form}]'", {package: None}),
    ):
        with monkeypatch.context() as patch:
            for module, value in missing.items():
                patch.setitem(sys.modules, module, value)
            for verb, what in (("predict", "picture.png"), ("evaluate", "digits")):
                failed = invoke(verb, name, what)
                assert (failed.exit_code, failed.stdout) == (2, ""), failed.stderr
                assert failed.stderr.startswith("error: ") and message in failed.stderr
                assert failed.stderr.count("\n") == 1


def test_a_program_in_int8(result: RunResult, folder: Path, workdir: Path) -> None:
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save("picture.png")
    arguments = ("export", "latest", "--format", "onnx", "--precision", "int8", "--folder", folder)
    done = invoke(*arguments, "--max-drop", 100)
    assert (done.exit_code, done.stdout) == (0, "student.onnx\n"), done.stderr
    told = [line.partition(": ") for line in done.stderr.splitlines()[2:]]
    assert [name for name, _, _ in told] == [
        "precision", "holdout accuracy in int8", "largest difference in int8", "size in int8",
    ]  # fmt: skip
    readme = Path("student.onnx.md").read_text()
    assert all(f"| {name} | {value} |" in readme for name, _, value in told)
    measured, expected = (invoke("evaluate", which, "digits", "--json") for which in ("student.onnx", result.student))
    accuracies = [json.loads(shown.stdout)["accuracy"] for shown in (measured, expected)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=2)
    shown = json.loads(invoke("predict", "student.onnx", "picture.png", "--json").stdout)
    assert shown["predictions"][0]["label"] in map(str, range(10))
