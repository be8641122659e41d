"""``docs/your_own_method.md`` runs as it stands: files are written, commands are run, methods are trained."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "your_own_method.md").read_text("utf-8")
SMALL = ["--set", "run.epochs=1", "--set", "data.limit=400", "--set", "backbone.width=4", "--set", "data.holdout=80"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, each of them named in its first line."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(ROOT / "pipelines", folder / "pipelines")
    for name, text in re.findall(r"```(?:toml|python)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        (folder / name).write_text(text, "utf-8")
    return folder


def cgl(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cgl_ignite", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def commands() -> list[list[str]]:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines]


@pytest.mark.slow
def test_the_commands_of_the_page_give_a_table_with_the_new_methods(folder: Path) -> None:
    hybrid, check, everything = commands()
    assert (check[0], hybrid[0], everything[0]) == ("check", "compare", "compare")
    checked = cgl(folder, *check)
    assert checked.returncode == 0, checked.stderr

    first = cgl(folder, *hybrid, *SMALL, "--json", "--quiet")
    assert first.returncode == 0, first.stderr
    second = cgl(folder, *everything, *SMALL, "--json", "--quiet")
    assert second.returncode == 0, second.stderr

    before, after = (json.loads(done.stdout)["runs"] for done in (first, second))
    assert [run["method"] for run in before] == ["cgl", "cgl_attention"]
    assert len({run["method"] for run in after}) == 8
    known = {run["run_id"] for run in before}
    assert known <= {run["run_id"] for run in after}
    parameters = {run["method"]: run["parameters"] for run in after}
    assert parameters["cgl_attention"] > parameters["cgl"] == parameters["cgl_confident"]


def test_options_of_the_plug_in_are_checked_like_all_others(folder: Path) -> None:
    wrong = cgl(folder, "check", "mine.toml", "--set", "methods.cgl_confident.weigh.sharpness=much")
    assert wrong.returncode == 2
    assert "weigh.sharpness: must be a number" in wrong.stderr + wrong.stdout
