"""With gradients added in the order of the students a run has the same bits for any number of processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.distributed.pools import WHOLE, left, train, uneven
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

DROPPING = 'backbone={kind="module", build="tests.distributed.pools.dropping"}'

ONE_BATCH = {
    "dml": ('method.preset="dml"', "method.students=4", DROPPING),
    "sub-groups, dropout, mixed, smoothed": (
        'method.choose={kind="bernoulli", probability=0.5}',
        "method.loss.label_smoothing=0.1",
        'data.augment=[{kind="crop_flip", padding=1, flip=false}, {kind="mixup"}]',
        DROPPING,
    ),
    "a trunk, averaged, clipped, balanced, five students": (
        'method.routing={kind="branched"}',
        "method.students=5",
        'method.loss.mixes="probabilities"',
        'run.average={kind="ema"}',
        "optim.clip_norm=0.5",
        'data.balance="loss"',
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


@pytest.mark.parametrize("case", ONE_BATCH)
def test_students_that_read_one_batch_end_alike(tmp_path: Path, case: str) -> None:
    """20 iterations of students that imitate each other's logits without a gradient."""
    alone = trained(tmp_path / "1", 1, *WHOLE, *ONE_BATCH[case])
    assert alone["state"]["trainer"]["iteration"] == 20
    for size in (2, 4):
        assert_identical(trained(tmp_path / str(size), size, *WHOLE, *ONE_BATCH[case]), alone)


@pytest.mark.parametrize("changes", [(), WHOLE], ids=["sub-sets", "one batch"])
def test_frozen_teachers_teach_alike(tmp_path: Path, changes: tuple[str, ...]) -> None:
    trained(tmp_path / "teacher", 1, 'method.preset="baseline"', "run.epochs=1")
    (teacher,) = (tmp_path / "teacher").glob("runs/*/student.pt")
    alone, two, four = (
        trained(tmp_path / str(size), size, *changes, f'method.teachers=["{teacher}"]', "run.epochs=2")
        for size in (1, 2, 4)
    )
    assert_identical(two, alone)
    assert_identical(four, alone)
    untaught = trained(tmp_path / "untaught", 1, *changes, "run.epochs=2")
    assert any(not alone["state"]["pool"][name].equal(values) for name, values in untaught["state"]["pool"].items())


@pytest.mark.parametrize(("case", "reduce"), list(zip(ONE_BATCH, ("fast", "ordered", "fast"), strict=True)))
def test_students_that_read_one_batch_learn_as_in_one_pass(tmp_path: Path, case: str, reduce: str) -> None:
    """One process computes them together; after five iterations weights and statistics differ by rounding alone.

    Adam would make whole steps of gradients that are nothing but rounding, those of biases before a normalisation.
    """
    changes = (*WHOLE, *ONE_BATCH[case], "run.epochs=1", 'optim.kind="sgd"', "optim.learning_rate=0.05")
    alone = trained(tmp_path / "1", 1, *changes, 'run.reduce="fast"')
    both = trained(tmp_path / "2", 2, *changes, f'run.reduce="{reduce}"')
    for name, values in alone["state"]["pool"].items():
        assert both["state"]["pool"][name].allclose(values, atol=1e-4), name


def test_the_fast_sum_is_near_that_of_one_process(tmp_path: Path) -> None:
    """Sums of the same numbers in another order: after three iterations the scores differ by rounding alone."""
    alone, both = (trained(tmp_path / str(size), size, 'run.reduce="fast"', "run.epochs=1") for size in (1, 2))
    for name, values in alone["state"]["pool"].items():
        assert both["state"]["pool"][name].allclose(values, atol=1e-4), name


@pytest.mark.parametrize(
    ("changes", "before", "after"),
    [((), 2, 1), ((), 1, 2), ((), 2, 4), ((), 4, 1), (WHOLE, 2, 4), (WHOLE, 4, 1), (WHOLE, 1, 2)],
)
def test_resumed_with_another_number_of_processes(
    tmp_path: Path, changes: tuple[str, ...], before: int, after: int
) -> None:
    whole = trained(tmp_path / "whole", 1, *changes, "run.epochs=2")
    stopped = uneven(tmp_path / "stopped", *changes, "run.epochs=2")
    codes = train(before, stopped, tmp_path / "logs", at=(before - 1, 5), action="terminate")
    assert codes == [130] * before
    assert train(after, stopped, tmp_path / "logs", resume=True) == [0] * after
    assert_identical(left(tmp_path / "stopped"), whole)
