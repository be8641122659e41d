"""The worked example of ``docs/python.md`` runs as it stands, in an empty folder."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text("utf-8"), re.DOTALL)
    (tmp_path / "page.py").write_text("\n".join(blocks), encoding="utf-8")
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    ran = subprocess.run([sys.executable, "page.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line[:7] for line in lines[:4:2]] == ["seed 1:", "seed 2:"]
    assert "module runs: 22 instead of 24" in lines
