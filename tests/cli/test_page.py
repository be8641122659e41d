"""``cgl report``: the files that it writes, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from cgl_ignite.cli.main import cgl
from cgl_ignite.config.dump import to_toml
from cgl_ignite.pipeline import RunResult
from tests.kinds import small_pipeline
from tests.texts import without_models

pytestmark = pytest.mark.usefixtures("pictures")


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, ["report", *map(str, arguments)])


def test_it_prints_what_it_has_written(result: RunResult, folder: Path, tmp_path: Path) -> None:
    done = report("latest", "--folder", folder, "-o", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(tmp_path / "page.html"), str(tmp_path / "page.md")]
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "page_files" / "accuracy.png").is_file()
    assert "page_files/accuracy.png" in (tmp_path / "page.md").read_text()


@pytest.mark.slow
def test_the_page_is_stored_with_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_models(monkeypatch)
    path = tmp_path / "small.toml"
    path.write_text(to_toml(small_pipeline("digits", tmp_path, tmp_path / "mlruns")), "utf-8")
    assert CliRunner().invoke(cgl, ["run", str(path), "--quiet"]).exit_code == 0
    done = report("latest", "--folder", tmp_path / "mlruns", "-o", tmp_path / "page.html", "--log")
    assert done.exit_code == 0, done.output
    (run,) = (tmp_path / "mlruns" / "runs").iterdir()
    stored = MlflowClient(f"sqlite:///{tmp_path}/mlruns/mlflow.db").list_artifacts(run.name, "report")
    assert [Path(one.path).name for one in stored] == ["page.html", "page.md", "page_files"]


@pytest.mark.parametrize(("which", "message"), [("nobody", "no run 'nobody'"), ("", "no run ''")])
def test_what_is_refused(result: RunResult, folder: Path, which: str, message: str) -> None:
    failed = report(which, "--folder", folder)
    assert (failed.exit_code, failed.stdout, len(failed.stderr.splitlines())) == (2, "", 1)
    assert message in failed.stderr
