from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from cgl_ignite.cli.main import cgl

PIPELINES = sorted(map(str, (Path(__file__).resolve().parents[2] / "pipelines").glob("*.toml")))


def test_sound_pipelines() -> None:
    done = CliRunner().invoke(cgl, ["check", *PIPELINES])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"{path}: ok" for path in PIPELINES]


def test_all_faults_of_all_files(workdir: Path) -> None:
    Path("a.toml").write_text("a = \n")
    Path("b.toml").write_text(Path(PIPELINES[0]).read_text().replace("extends", "# extends") + "[runs]\n")
    done = CliRunner().invoke(cgl, ["check", "a.toml", PIPELINES[0], "b.toml", "missing.toml"])
    assert done.exit_code == 2
    assert done.stdout == ""
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("error: a.toml:1: is not valid TOML")
    assert "b.toml: optim: is missing" in done.stderr
    assert "runs: unknown key; did you mean 'run'?" in done.stderr
    assert last == "missing.toml: cannot read the pipeline file (No such file or directory)"


def test_overrides_are_checked_too() -> None:
    done = CliRunner().invoke(cgl, ["check", *PIPELINES, "--set", "run.epochs=many"])
    assert done.exit_code == 2
    assert done.stderr.count("run.epochs: must be a whole number") == 1
