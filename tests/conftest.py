"""What every test gets: one thread, an environment of its own, and real images where they are at hand."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import pytest
import torch

from cgl_ignite.comparison import pictures as axis_pictures
from cgl_ignite.comparison import report
from cgl_ignite.pipeline import RunResult, artifacts, hand_over
from tests.programs import Build, without_programs
from tests.student.runs import finished_run

REPOSITORY = Path(__file__).resolve().parents[1]
DRAWN, DRAWS = (artifacts, report, axis_pictures), re.compile("_figure$|^as_png$|^as_svg$")
Drawing = dict[ModuleType, dict[str, Callable[..., Any]]]
RESTORE = REPOSITORY.parent / "shared" / "data" / "restore.py"

hypothesis.settings.register_profile("default", deadline=None, max_examples=20)
hypothesis.settings.register_profile("many", deadline=None, max_examples=200, print_blob=True)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=20, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure() -> None:
    """Compute with one thread unless told otherwise, here and in what tests start; send no usage data."""
    os.environ["DO_NOT_TRACK"] = "true"
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", "1")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the data root and the tracking server of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith(("CGL_", "MLFLOW_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CGL_DATA", str(tmp_path_factory.getbasetemp() / "no-data-here"))


@pytest.fixture(scope="session", autouse=True)
def drawing() -> Iterator[Drawing]:
    """Draw no pictures at the end of a run or comparison, which would take longer than to train so little."""
    drawing = {module: {name: draw for name, draw in vars(module).items() if DRAWS.search(name)} for module in DRAWN}
    with pytest.MonkeyPatch.context() as patch:
        for module, functions in drawing.items():
            for name in functions:
                patch.setattr(module, name, lambda *_, **__: b"no picture")
        yield drawing


@pytest.fixture
def pictures(drawing: Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw them nevertheless."""
    for module, functions in drawing.items():
        for name, draw in functions.items():
            monkeypatch.setattr(module, name, draw)


@pytest.fixture(scope="session", autouse=True)
def program() -> Iterator[Build]:
    """Store students without their program at the end of a run, as making one takes longer than training so little."""
    with pytest.MonkeyPatch.context() as patch:
        yield without_programs(patch)


@pytest.fixture
def programs(program: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the programs nevertheless."""
    monkeypatch.setattr(hand_over, "student_model", program)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all processes of a test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def _patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(autouse=True)
def _copied_stores(_patched: pytest.MonkeyPatch, shared: Path) -> None:
    """Copy new databases of MLflow, once a test has imported MLflow, which takes seconds that other tests save."""
    if "cgl_ignite.tracking.database" in sys.modules:
        from tests.stores import copied_stores

        copied_stores(_patched, shared)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty folder the current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the tracking folder of the run ``result``."""
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def result(folder: Path) -> RunResult:
    """Train three students on digits for three epochs."""
    return finished_run(folder)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Give the folder with the official files of CIFAR-10 and CIFAR-100, restored once per machine."""
    return restored("cifar-10", "cifar-100")


@pytest.fixture(scope="session")
def text_root() -> Path:
    """Give the folder with IMDB, its reviews as ``stars`` in the files of Yelp, and AG News."""
    return restored("imdb", "stars", "text")


def restored(*names: str) -> Path:
    """Restore real data once per machine, and return their folder."""
    if not RESTORE.is_file():
        pytest.skip("no shared/data/restore.py beside the repository, so no real data to test with")
    folder = Path(tempfile.gettempdir()) / f"cgl_ignite_test_data-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        pytest.skip(f"{folder} belongs to another user")
    version = hashlib.sha256(RESTORE.read_bytes()).hexdigest()[:12]
    done = folder / f"restored-{'-'.join(names)}-{version}"
    with locked(folder / "lock"):
        if not done.exists():
            command = [sys.executable, str(RESTORE), "--out", str(folder), *names]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            done.touch()
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file's lock, which the system releases even if this process is killed."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
