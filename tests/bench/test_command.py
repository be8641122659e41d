"""``cgl bench`` in processes of its own, as it registers made-up data."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.cli.main import cgl

PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"
DIGITS = str(PIPELINES / "digits_resnet.toml")
SMALL = ("--rounds", "2", "--set", "method.students=2", "--set", "optim.batch_size=4", "--set", "backbone.width=4")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "cgl_ignite", "bench", *arguments]


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, timeout=200)


@pytest.mark.slow
def test_for_people(tmp_path: Path) -> None:
    done = bench(tmp_path, DIGITS, *SMALL, "--clock", "cpu")
    assert done.returncode == 0, done.stderr
    heading, how, table = done.stdout.split("\n\n")
    assert heading == "digits_resnet: resnet8 on digits, cgl, 2 students"
    assert how == "median of 2 rounds, processor time, on cpu, 1 thread; batches of 4"
    parts = [line.split(" | ")[0].strip("| ") for line in table.splitlines()[2:]]
    assert list(dict.fromkeys(parts)) == ["training", "floor", "evaluation", "memory"]
    assert "planned pass / floor" in done.stderr
    assert not list(tmp_path.iterdir())


def test_for_programs_and_a_folder(tmp_path: Path) -> None:
    options = ("--part", "training", "--part", "floor", "--iterations", "1", "--json", "--quiet", "-o", "out/here")
    done = bench(tmp_path, DIGITS, *SMALL, *options)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found.keys() >= {
        "date",
        "commit",
        "command",
        "versions",
        "hardware",
        "threads",
        "clock",
        "floor",
        "training",
    }
    assert not found.keys() & {"evaluation", "memory"}
    assert found["training"]["iterations_per_round"] == 1
    assert found["training"]["deviation_of_first_losses"] < 1e-4
    assert json.loads((tmp_path / "out" / "here" / "bench.json").read_text("utf-8")) == found
    written = {path.name for path in (tmp_path / "out" / "here").iterdir()}
    assert written == {"bench.json", "bench.md", "bench.png"}


@pytest.mark.slow
def test_data_that_are_not_there_are_made_up(tmp_path: Path) -> None:
    """Transformer and VDCNN have tests of their own, in benchmarks."""
    change = ("--set", f"data.root={tmp_path.as_posix()}", "--set", "data.limit=6000", "--part", "evaluation")
    done = bench(tmp_path, str(PIPELINES / "cifar100_resnet18.toml"), *SMALL, *change, "--threads", "1")
    assert done.returncode == 0, done.stderr
    assert "random inputs of the same shape stand in" in done.stderr
    assert "resnet18 on cifar100 (synthetic" in done.stdout


MADE_UP = """
import json, sys
from cgl_ignite import load_pipeline
from cgl_ignite.bench.synthetic import made_up
from cgl_ignite.data import ENCODINGS
from cgl_ignite.pipeline.data import read_data
for path in sys.argv[1:]:
    pipeline = made_up(load_pipeline(path))
    source = read_data(pipeline).source
    spec = ENCODINGS.build(pipeline.data.encoding).spec if source.spec.modality == "text" else source.spec
    rows = [len(source.train), pipeline.data.holdout]
    print(json.dumps([list(spec.shape), spec.vocabulary, len(source.classes), *rows]))
"""


@pytest.mark.slow
def test_made_up_data_have_the_shape_of_their_models() -> None:
    known = {
        "digits_resnet": [[1, 8, 8], 0, 10, 1437, 237],
        "cifar100_resnet34": [[3, 32, 32], 0, 100, 50_000, 5000],
        "imdb_transformer": [[512], 16_000, 2, 25_000, 2000],
        "yahoo_vdcnn": [[1024], 69, 10, 25_000, 2000],
    }
    paths = [str(PIPELINES / f"{name}.toml") for name in known]
    shown = subprocess.run([sys.executable, "-c", MADE_UP, *paths], capture_output=True, text=True, check=True).stdout
    assert [json.loads(line) for line in shown.splitlines()] == list(known.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("missing.toml",), "error: missing.toml"),
        ((DIGITS, "--part", "speed"), "'speed' is not one of"),
        ((DIGITS, "--rounds", "0"), "--rounds"),
        ((DIGITS, "--set", "optim.batch=3"), "optim.batch"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], message: str) -> None:
    done = CliRunner().invoke(cgl, ["bench", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


LISTENING = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from cgl_ignite.cli.main import cgl
cgl(prog_name="cgl")
"""
"""The command in a shell that does not ignore interrupts, as some do for what runs in the background."""


@pytest.mark.slow
def test_it_can_be_stopped(tmp_path: Path) -> None:
    arguments = [
        sys.executable,
        "-c",
        LISTENING,
        "bench",
        str(DIGITS),
        "--part",
        "floor",
        "--rounds",
        "100000",
        "-o",
        "out",
    ]
    process = subprocess.Popen(arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("digits_resnet: ")
    time.sleep(2)
    os.kill(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors.splitlines()[-1].startswith("error: interrupted")
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()
