"""With gradients added in the order of the data groups a run has the same bits for any number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.distributed.pools import left, train, uneven
from tests.equivalence.test_resume import assert_identical

pytestmark = pytest.mark.slow

CASES = {
    "bernoulli": (),
    "regular, redrawn": (
        'method.choose={kind="regular", size=2}',
        'method.subsets={kind="disjoint", redraw_every=2, overlap=0.1}',
    ),
    "dropout, averaged, clipped": (
        'backbone={kind="module", build="tests.distributed.pools.dropping"}',
        'run.average={kind="ema"}',
        "optim.clip_norm=0.5",
    ),
}


def trained(folder: Path, size: int, *changes: str) -> dict[str, Any]:
    assert train(size, uneven(folder, *changes), folder / "logs") == [0] * size
    return left(folder)


@pytest.mark.parametrize("case", CASES)
def test_any_number_of_processes_ends_alike(tmp_path: Path, case: str) -> None:
    """21 iterations: weights, optimizer, running statistics, selection, losses and scores."""
    alone = trained(tmp_path / "1", 1, *CASES[case])
    assert alone["state"]["trainer"]["iteration"] == 21
    for size in (2, 4):
        assert_identical(trained(tmp_path / str(size), size, *CASES[case]), alone)


def test_the_fast_sum_is_near_that_of_one_process(tmp_path: Path) -> None:
    """Sums of the same numbers in another order: after three iterations the scores differ by rounding alone."""
    alone, both = (trained(tmp_path / str(size), size, 'run.reduce="fast"', "run.epochs=1") for size in (1, 2))
    for name, values in alone["state"]["pool"].items():
        assert both["state"]["pool"][name].allclose(values, atol=1e-4), name


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 4)])
def test_resumed_with_another_number_of_processes(tmp_path: Path, before: int, after: int) -> None:
    whole = trained(tmp_path / "whole", 1, "run.epochs=2")
    stopped = uneven(tmp_path / "stopped", "run.epochs=2")
    codes = train(before, stopped, tmp_path / "logs", at=(before - 1, 5), action="terminate")
    assert codes == [130] * before
    assert train(after, stopped, tmp_path / "logs", resume=True) == [0] * after
    assert_identical(left(tmp_path / "stopped"), whole)
