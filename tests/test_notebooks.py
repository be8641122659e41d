"""The code of every notebook runs as it stands, cell by cell, in an empty folder; a file of pictures gives a report."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[str]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert (found["nbformat"], found["metadata"]["kernelspec"]["name"]) == (4, "python3")
    return ["".join(cell["source"]) for cell in found["cells"] if cell["cell_type"] == kind]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_output_and_its_links_lead_somewhere(path: Path) -> None:
    found = json.loads(path.read_text("utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in found)
    links = re.findall(r"\]\(([^)#]+)", "\n".join(cells(path, "markdown")))
    assert links and all((path.parent / link).exists() for link in links)


@pytest.mark.slow
def test_from_a_folder_of_pictures_to_a_report(tmp_path: Path) -> None:
    code = cells(ROOT / "docs" / "notebooks" / "pictures_to_report.ipynb", "code")
    (tmp_path / "cells.py").write_text("\n\n".join(code), encoding="utf-8")
    ran = subprocess.run([sys.executable, "cells.py"], cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert ran.returncode == 0, ran.stderr
    found = dict(re.findall(r"^(accuracy|balanced accuracy) +([\d.]+) %", ran.stdout, re.MULTILINE))
    assert float(found["accuracy"]) == pytest.approx(float(found["balanced accuracy"]), abs=0.01)
    assert float(found["accuracy"]) > 60
    assert (tmp_path / "report" / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert re.search(r"^ +triangle +16 ", ran.stdout, re.MULTILINE)
