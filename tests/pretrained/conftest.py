"""A student that other pools begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.pipeline import run
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import pipeline


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a student of digits: resnet8 of width 4, trained for an epoch."""
    folder = tmp_path_factory.mktemp("earlier")
    (result,) = run(pipeline(folder, "run.epochs=1", "method.preset=baseline"), tracker=MemoryTracker())
    return Path(result.student)
