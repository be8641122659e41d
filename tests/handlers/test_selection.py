from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from cgl_ignite.handlers.selection import SELECTIONS, StudentSelector, best, last, leader, random
from cgl_ignite.handlers.state import Selected

EPOCHS = [[50.0, 60.0, 40.0], [70.0, 80.0, 80.0], [80.0, 80.0, 10.0], [30.0, 79.0, 20.0]]


def follow(rule) -> list[Selected]:
    """Apply a rule epoch by epoch."""
    found: list[Selected] = []
    for epoch, accuracy in enumerate(EPOCHS, 1):
        found.append(rule(epoch, accuracy, found[-1] if found else None))
    return found


def test_best_prefers_the_earlier_epoch_and_the_lower_index() -> None:
    expected = [Selected(1, 1, 60.0), *[Selected(2, 1, 80.0)] * 3]
    assert follow(best(3, seed=1)) == expected


def test_last_is_the_best_of_the_last_epoch() -> None:
    expected = [Selected(1, 1, 60.0), Selected(2, 1, 80.0), Selected(3, 0, 80.0), Selected(4, 1, 79.0)]
    assert follow(last(3, seed=1)) == expected


def test_random_keeps_one_student_at_its_best_epoch() -> None:
    bests = {0: Selected(3, 0, 80.0), 1: Selected(2, 1, 80.0), 2: Selected(2, 2, 80.0)}
    chosen = set()
    for seed in range(40):
        found = follow(random(3, seed=seed))
        (student,) = {selected.student for selected in found}
        assert found[-1] == bests[student]
        assert follow(random(3, seed=seed)) == found
        chosen.add(student)
    assert chosen == {0, 1, 2}


def test_the_leader_is_the_last_student_at_its_best_epoch() -> None:
    expected = [Selected(1, 2, 40.0), *[Selected(2, 2, 80.0)] * 3]
    assert follow(leader(3, seed=1)) == expected


def test_registered_kinds() -> None:
    assert {"best", "last", "random", "leader"} <= set(SELECTIONS.kinds())


@pytest.mark.parametrize("kind", SELECTIONS.kinds())
def test_a_rule_selects_among_the_students(kind: str) -> None:
    rule = SELECTIONS.get(kind)(3, 1)
    for epoch, selected in enumerate(follow(rule), 1):
        assert 1 <= selected.epoch <= epoch
        assert selected.score == EPOCHS[selected.epoch - 1][selected.student]


class Pool(nn.Module):
    """One weight that says in which epoch it was taken, and one buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.register_buffer("mean", torch.zeros(()))

    def set(self, value: float) -> None:
        with torch.no_grad():
            self.weight.fill_(value)
            self.mean.fill_(10 * value)

    def value(self) -> tuple[float, float]:
        return self.weight.item(), self.mean.item()


def judge(pool: Pool, selector: StudentSelector, epochs: int) -> Engine:
    """Run epochs in which the pool holds the number of the epoch."""
    engine = Engine(lambda engine, _: pool.set(engine.state.epoch))

    def score(engine: Engine) -> None:
        engine.state.holdout = SimpleNamespace(accuracy=EPOCHS[engine.state.epoch - 1])

    engine.add_event_handler(Events.EPOCH_COMPLETED, score)
    selector.attach(engine)
    engine.run([0], max_epochs=epochs)
    return engine


def test_the_weights_of_the_selected_epoch_are_kept_and_lent() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1))
    engine = judge(pool, selector, 4)
    assert engine.state.selected == selector.selected == Selected(2, 1, 80.0)
    assert selector.judged == 4
    with selector.selected_weights():
        assert pool.value() == (2, 20)
    assert pool.value() == (4, 40)


def test_the_pool_gets_its_weights_back_after_an_error() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1))
    judge(pool, selector, 3)
    with pytest.raises(ZeroDivisionError), selector.selected_weights():
        raise ZeroDivisionError
    assert pool.value() == (3, 30)


def test_a_selection_survives_in_its_state() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1))
    judge(pool, selector, 3)
    other = Pool()
    taken = StudentSelector(other, best(3, 1))
    taken.load_state_dict(selector.state_dict())
    assert (taken.selected, taken.judged) == (Selected(2, 1, 80.0), 3)
    with taken.selected_weights():
        assert other.value() == (2, 20)


def test_a_fresh_selection_survives_too() -> None:
    selector = StudentSelector(Pool(), best(3, 1))
    taken = StudentSelector(Pool(), best(3, 1))
    taken.load_state_dict(selector.state_dict())
    assert (taken.selected, taken.judged, taken.weights) == (None, 0, {})
