"""``cgl analyse``: tables, JSON, pictures, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from cgl_ignite.analyses import ANALYSES
from cgl_ignite.cli.analyse import KINDS
from cgl_ignite.cli.main import cgl
from cgl_ignite.pipeline import RunResult


def analyse(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["analyse", *map(str, arguments)])


def test_every_analysis_has_its_flag() -> None:
    assert tuple(KINDS) == ANALYSES.kinds()


def test_all_of_them(result: RunResult, folder: Path, tmp_path: Path) -> None:
    options = ("--draws", 1, "--rows", 60, "--sigma", "0.1", "--relative", "0,0.2")
    done = analyse("latest", "--folder", folder, "--json", "-o", tmp_path, *options)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    kinds = [kind for kind in KINDS if kind != "structures"]
    assert list(found) == kinds
    assert {one["run"] for kind in found.values() for one in kind["runs"]} == {result.run_id}
    assert found["calibration"]["runs"][0]["accuracy"] == pytest.approx(result.test_accuracy, abs=1e-4)
    for kind in kinds:
        assert json.loads((tmp_path / f"{kind}.json").read_text()) == found[kind]
    for picture in ("flatness", "agreement", "similarity", "paths", "calibration"):
        with Image.open(tmp_path / f"{picture}.png") as image:
            assert min(image.size) > 250
        assert ET.parse(tmp_path / f"{picture}.svg").getroot().tag.endswith("svg")
    (student,) = tmp_path.glob("best_path_*.pt")
    scored = CliRunner().invoke(cgl, ["evaluate", str(student), "digits", "--json"])
    assert scored.exit_code == 0, scored.output


def test_a_table_for_people(result: RunResult, folder: Path) -> None:
    done = analyse("latest", "--calibration", "--folder", folder)
    assert done.exit_code == 0, done.output
    title, heads, _, line, *notes = done.stdout.splitlines()
    assert title == "Calibration of the selected student"
    assert heads.split()[:2] == ["method", "seeds"]
    assert line.split()[:3] == ["cgl", "1", f"{result.test_accuracy:.2f}"]
    assert "expected calibration error" in notes[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sigma=-0.1", "--flatness"], "must be numbers of at least 0, not '-0.1'"),
        (["--sigma=much", "--flatness"], "must be numbers with commas between them, such as 0.01,0.02, not 'much'"),
        (["--relative=nan", "--flatness"], "must be numbers of at least 0, not 'nan'"),
        (["--draws=0"], "0 is not in the range x>=1"),
        (["--sigma=0.1", "--paths"], "sigma belongs to the analysis 'flatness', which is not asked for"),
        (["nobody"], "no run 'nobody'"),
    ],
)
def test_what_is_refused(result: RunResult, folder: Path, arguments: list[str], message: str) -> None:
    failed = analyse("latest", *arguments, "--folder", folder)
    assert (failed.exit_code, failed.stdout) == (2, "")
    assert message in failed.stderr


def test_no_run_at_all() -> None:
    failed = analyse()
    assert failed.exit_code == 2
    assert "Missing argument 'RUN...'" in failed.stderr


def test_a_student_file_is_no_run(result: RunResult, folder: Path, tmp_path: Path) -> None:
    shutil.copy(result.student, tmp_path / "mine.pt")
    failed = analyse(tmp_path / "mine.pt", "--folder", folder)
    assert (failed.exit_code, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)


def test_help_loads_no_torch() -> None:
    code = "import sys; from cgl_ignite.cli.analyse import analyse; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
