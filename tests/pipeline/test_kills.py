"""What was killed at any moment, imports and the creation of the store included, ends like what was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.kills import kill_comparisons, kill_runs, moments


def test_moments_are_spread_over_the_whole_life() -> None:
    found = sorted(moments(50, 10.0, seed=1))
    assert all(part / 5 <= moment < (part + 1) / 5 for part, moment in enumerate(found))
    assert list(moments(50, 10.0, seed=1)) == list(moments(50, 10.0, seed=1)) != found


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_runs(tmp_path: Path) -> None:
    assert kill_runs(tmp_path, 4, seed=2) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_comparisons(tmp_path: Path) -> None:
    assert kill_comparisons(tmp_path, 2, seed=2) == []
