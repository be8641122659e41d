"""Plugins run code: a file from elsewhere imports none, and none ends the program."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.cli.main import cgl
from tests.student.runs import finished_run

PARTS = """
from pathlib import Path
Path("imported").touch()
"""


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, list(map(str, arguments)))


def test_a_checkpoint_from_elsewhere_imports_nothing(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (workdir / "foreign_parts.py").write_text(PARTS)
    result = finished_run(workdir / "mlruns", "plugins=['foreign_parts']", "run.epochs=1")
    shutil.copy(result.checkpoint, "foreign.pt")
    Image.new("L", (8, 8)).save("picture.png")
    commands = (("predict", "picture.png"), ("export", "-o", "out.pt"), ("evaluate", "digits"))
    for verb, *more in commands:
        monkeypatch.delitem(sys.modules, "foreign_parts", raising=False)
        Path("imported").unlink(missing_ok=True)
        refused = invoke(verb, "foreign.pt", *more)
        assert refused.exit_code == 2, refused.output
        assert "--plugin foreign_parts" in refused.stderr
        assert not Path("imported").exists()
        allowed = invoke(verb, "foreign.pt", *more, "--plugin", "foreign_parts")
        assert allowed.exit_code == 0, allowed.output
        monkeypatch.delitem(sys.modules, "foreign_parts")
        assert invoke(verb, result.run_id, *more).exit_code == 0


@pytest.mark.parametrize("code", ["import sys; sys.exit(0)", "raise SystemExit", "exit()"])
def test_a_plugin_that_ends_the_program(workdir: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "leaving", raising=False)
    (workdir / "leaving.py").write_text(code)
    (workdir / "p.toml").write_text(
        f"plugins = ['leaving']\nextends = '{Path(__file__).parents[1] / 'pipelines' / 'digits_resnet.toml'}'\n"
    )
    failed = invoke("check", "p.toml")
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert "p.toml:1: plugins: cannot import 'leaving' (SystemExit" in failed.stderr
