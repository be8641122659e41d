"""A command works whatever the encoding of its streams, without a reader and without a home directory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.cli import main, surroundings
from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.surroundings import UnreadStream, ensure_home, prepared
from tests.cli.test_run import command


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_any_encoding_takes_any_text(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    written = io.BytesIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, io.TextIOWrapper(written, encoding=encoding, write_through=True))
    with prepared():
        sys.stdout.write("25.0 ± 1.5 · ─ 日\n")
        sys.stderr.write("25.0 ± 1.5 · ─ 日\n")
    known = {"utf-8": "25.0 ± 1.5 · ─ 日", "ascii": "25.0 +- 1.5 - - ?"}
    expected = known.get(encoding, "25.0 ± 1.5 · - ?")
    assert written.getvalue().decode(encoding).splitlines() == [expected, expected]


def test_names_of_files_that_are_no_text_are_written_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    out = io.TextIOWrapper(written, encoding="utf-8", errors="surrogateescape", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    with prepared():
        sys.stdout.write(b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert written.getvalue() == b"caf\xe9"


def test_a_stream_without_a_reader_loses_what_is_written() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as stream:
        unread = UnreadStream(stream)
        for _ in range(3):
            unread.write("a line\n")
            unread.flush()
        assert not unread.isatty()


@pytest.mark.slow
def test_a_training_that_nobody_watches_any_more_is_finished(workdir: Path) -> None:
    reading, writing = os.pipe()
    process = subprocess.Popen(command("--json", epochs=1), stdout=subprocess.PIPE, stderr=writing)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    stdout, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert Path(json.loads(stdout)["student"]).exists()
    (facts,) = [json.loads(path.read_text()) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert facts["status"] == "FINISHED"


def test_a_result_that_nobody_reads_leaves_the_run_finished(workdir: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command("--quiet", epochs=1), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=200)
    os.close(writing)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if not line.startswith("note: ")] == []
    (facts,) = [json.loads(path.read_text()) for path in workdir.glob("mlruns/runs/*/run.json")]
    assert facts["status"] == "FINISHED"


def test_without_home_and_user_name_there_is_a_makeshift_and_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> None:
        raise KeyError("getpwuid(): uid not found")

    def homeless() -> Path:
        if "HOME" in os.environ:
            return Path(os.environ["HOME"])
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr(surroundings.Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("USER", "")
    monkeypatch.delenv("HOME")
    note = ensure_home()
    home = tmp_path / f"cgl_ignite-{os.getuid()}"
    assert note is not None and str(home) in note
    assert (os.environ["HOME"], os.environ["USER"]) == (str(home), str(os.getuid()))
    assert home.stat().st_mode & 0o777 == 0o700
    assert ensure_home() is None
    monkeypatch.setattr(main, "ensure_home", lambda: note)
    assert f"note: {note}" in CliRunner().invoke(cgl, ["new", "--dataset", "digits", "--backbone", "resnet8"]).stderr


def test_a_folder_of_somebody_else_is_not_taken_as_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"cgl_ignite-{os.getuid()}").symlink_to(elsewhere)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert surroundings._makeshift() not in (elsewhere, tmp_path / f"cgl_ignite-{os.getuid()}")
