from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from cgl_ignite.handlers.selection import StudentSelector
from cgl_ignite.selection import (
    SELECTIONS,
    History,
    HoldoutMean,
    Rule,
    Selected,
    best,
    candidates,
    last,
    leader,
    random,
)

ACCURACY = [[50.0, 60.0, 40.0], [70.0, 80.0, 80.0], [80.0, 80.0, 10.0], [30.0, 79.0, 20.0]]
CROSS_ENTROPY = [[1.0, 0.9, 1.2], [0.8, 0.6, 0.5], [0.5, 0.5, 2.0], [1.0, 0.3, 1.5]]
EPOCHS = list(zip(ACCURACY, CROSS_ENTROPY, strict=True))


def follow(rule: Rule, epochs: History = EPOCHS) -> list[Selected]:
    """Apply a rule epoch by epoch."""
    found: list[Selected] = []
    for epoch in range(1, len(epochs) + 1):
        found.append(rule(epoch, epochs[:epoch], found[-1] if found else None))
    return found


def places(rule: Rule, epochs: History = EPOCHS) -> list[tuple[int, int]]:
    """Tell epoch and student that are selected after every epoch."""
    return [(selected.epoch, selected.student) for selected in follow(rule, epochs)]


def test_best_breaks_ties_by_cross_entropy_then_the_later_epoch_then_the_lower_index() -> None:
    """80 % is reached by two students in epoch 2, the second of which is surer, and by two in epoch 3, surer still."""
    assert places(best(3, seed=1, by="accuracy")) == [(1, 1), (2, 2), (3, 0), (3, 0)]


@pytest.mark.parametrize(("cross_entropy", "epoch"), [(0.6, 1), (0.5, 2), (0.4, 2)])
def test_equal_accuracies(cross_entropy: float, epoch: int) -> None:
    epochs = [([80.0], [0.5]), ([80.0], [cross_entropy])]
    assert places(best(1, seed=1, by="accuracy"), epochs)[-1] == (epoch, 0)


def test_best_by_cross_entropy() -> None:
    assert places(best(3, seed=1, by="cross_entropy")) == [(1, 1), (2, 2), (3, 0), (4, 1)]


def test_best_by_cross_entropy_breaks_ties_by_accuracy() -> None:
    epochs = [([80.0, 90.0], [0.5, 0.5]), ([85.0, 90.0], [0.5, 0.6])]
    assert places(best(2, seed=1, by="cross_entropy"), epochs) == [(1, 1), (1, 1)]


def test_a_mean_over_three_epochs() -> None:
    """Means of three epochs: 66.7, 73.3 and 43.3 after the third, 60, 79.7 and 36.7 after the fourth."""
    found = follow(best(3, seed=1, epochs=3, by="accuracy"))
    assert [(one.epoch, one.student) for one in found] == [(1, 1), (2, 1), (3, 1), (4, 1)]
    assert [one.score for one in found] == [60.0, 80.0, 80.0, 79.0]
    assert found[-1].mean == (3, pytest.approx((80 + 80 + 79) / 3), pytest.approx((0.6 + 0.5 + 0.3) / 3), None)


MACRO_F1 = [[70.0, 10.0, 40.0], [60.0, 20.0, 30.0], [65.0, 75.0, 10.0], [5.0, float("nan"), 60.0]]
WITH_METRIC = [(*pair, values) for pair, values in zip(EPOCHS, MACRO_F1, strict=True)]


def test_best_by_a_metric_of_the_predictions() -> None:
    """The greatest value is at epoch 3; a value that is not a number is the worst of all."""
    assert places(best(3, seed=1, by="macro_f1"), WITH_METRIC) == [(1, 0), (1, 0), (3, 1), (3, 1)]
    assert places(last(3, seed=1, by="macro_f1"), WITH_METRIC)[-1] == (4, 2)
    found = follow(best(3, seed=1, by="macro_f1", epochs=2), WITH_METRIC)
    assert (found[2].epoch, found[2].mean.metric) == (2, 65.0)


def test_a_metric_of_which_lower_values_are_better() -> None:
    """10 in epoch 1 is reached again in epoch 3, by a less accurate student; the least value is that of epoch 4."""
    assert places(best(3, seed=1, by="expected_calibration_error"), WITH_METRIC) == [(1, 1), (1, 1), (1, 1), (4, 0)]


def test_equal_values_of_a_metric_are_told_apart_by_accuracy() -> None:
    epochs = [([80.0, 90.0], [0.5, 0.5], [50.0, 50.0])]
    assert places(best(2, seed=1, by="macro_f1"), epochs) == [(1, 1)]


def test_an_epoch_with_fewer_before_it_gives_way_even_if_it_is_better() -> None:
    epochs = [([99.0], [0.1]), ([50.0], [1.0]), ([60.0], [1.0]), ([40.0], [1.0])]
    assert places(best(1, seed=1, epochs=2, by="accuracy"), epochs) == [(1, 0), (2, 0), (2, 0), (2, 0)]


def test_means_that_differ_by_rounding_only_are_equal() -> None:
    """0.1 + 0.2 is more than 0.3, though not by anything that was measured."""
    epochs = [([0.3], [0.1]), ([0.0], [0.1]), ([0.1 + 0.2], [0.9])]
    assert places(best(1, seed=1, by="accuracy"), epochs)[-1] == (1, 0)


def test_last_is_the_best_of_the_last_epoch() -> None:
    assert places(last(3, seed=1, by="accuracy")) == [(1, 1), (2, 2), (3, 0), (4, 1)]
    assert places(last(3, seed=1, epochs=2, by="accuracy"))[2] == (3, 1)


def test_random_keeps_one_student_at_its_best_epoch() -> None:
    bests = {0: (3, 0), 1: (3, 1), 2: (2, 2)}
    chosen = set()
    for seed in range(40):
        found = places(random(3, seed=seed, by="accuracy"))
        (student,) = {student for _, student in found}
        assert found[-1] == bests[student]
        assert places(random(3, seed=seed, by="accuracy")) == found
        chosen.add(student)
    assert chosen == {0, 1, 2}


def test_the_leader_is_the_last_student_at_its_best_epoch() -> None:
    assert places(leader(3, seed=1, by="accuracy")) == [(1, 2), (2, 2), (2, 2), (2, 2)]


def test_one_student_at_the_last_epoch() -> None:
    assert places(leader(3, seed=1, at="last")) == [(1, 2), (2, 2), (3, 2), (4, 2)]
    found = places(random(3, seed=5, at="last"))
    assert [epoch for epoch, _ in found] == [1, 2, 3, 4] and len({student for _, student in found}) == 1


@pytest.mark.parametrize(
    ("part", "count"),
    [
        (("best", {}), 320),
        (("last", {}), 8),
        (("random", {"at": "best"}), 40),
        (("leader", {"at": "best"}), 40),
        (("leader", {"at": "last"}), 1),
    ],
)
def test_candidates_are_students_times_epochs_where_a_rule_chooses_among_both(
    part: tuple[str, dict], count: int
) -> None:
    kind, options = part
    assert candidates(SimpleNamespace(kind=kind, options=options), students=8, epochs=40) == count


def test_registered_kinds() -> None:
    assert {"best", "last", "random", "leader"} <= set(SELECTIONS.kinds())


@pytest.mark.parametrize("kind", SELECTIONS.kinds())
def test_a_rule_selects_among_the_students(kind: str) -> None:
    rule = SELECTIONS.get(kind)(3, 1)
    for epoch, selected in enumerate(follow(rule), 1):
        assert 1 <= selected.epoch <= epoch
        assert selected.score == ACCURACY[selected.epoch - 1][selected.student]


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
        accuracy, cross_entropy = EPOCHS[engine.state.epoch - 1]
        engine.state.holdout = SimpleNamespace(accuracy=accuracy, cross_entropy=cross_entropy)

    engine.add_event_handler(Events.EPOCH_COMPLETED, score)
    selector.attach(engine)
    engine.run([0], max_epochs=epochs)
    return engine


def test_the_weights_of_the_selected_epoch_are_kept_and_lent() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1, by="accuracy"))
    engine = judge(pool, selector, 4)
    assert engine.state.selected == selector.selected == Selected(3, 0, 80.0, HoldoutMean(1, 80.0, 0.5))
    assert selector.judged == 4
    with selector.selected_weights():
        assert pool.value() == (3, 30)
    assert pool.value() == (4, 40)


def test_the_pool_gets_its_weights_back_after_an_error() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1, by="accuracy"))
    judge(pool, selector, 3)
    with pytest.raises(ZeroDivisionError), selector.selected_weights():
        raise ZeroDivisionError
    assert pool.value() == (3, 30)


def test_a_selection_survives_in_its_state() -> None:
    pool = Pool()
    selector = StudentSelector(pool, best(3, 1, by="accuracy"))
    judge(pool, selector, 3)
    other = Pool()
    taken = StudentSelector(other, best(3, 1, by="accuracy"))
    taken.load_state_dict(selector.state_dict())
    assert (taken.selected, taken.judged) == (Selected(3, 0, 80.0, HoldoutMean(1, 80.0, 0.5)), 3)
    with taken.selected_weights():
        assert other.value() == (3, 30)


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"by": "accuracy"}, {"epochs": 2}, {"epochs": 3}])
def test_a_rule_goes_on_from_a_stored_state_as_if_it_had_not_been_stopped(
    tmp_path: Path, options: dict, stop: int
) -> None:
    selector = StudentSelector(Pool(), best(3, 1, **options))
    judge(selector.pool, selector, stop)
    torch.save(selector.state_dict(), tmp_path / "state.pt")
    taken = StudentSelector(Pool(), best(3, 1, **options))
    taken.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    for epoch in range(stop + 1, 5):
        accuracy, cross_entropy = EPOCHS[epoch - 1]
        state = SimpleNamespace(epoch=epoch, holdout=SimpleNamespace(accuracy=accuracy, cross_entropy=cross_entropy))
        taken(SimpleNamespace(state=state))
    assert taken.selected == follow(best(3, 1, **options))[-1]


@pytest.mark.parametrize(("accuracy", "expected"), [(80.0, 5), (79.0, 2)])
def test_a_state_without_cross_entropies_and_history(accuracy: float, expected: int) -> None:
    """So were they written before; a later student that is as accurate is taken."""
    selector = StudentSelector(Pool(), best(1, 1, by="accuracy"))
    selector.load_state_dict({"judged": 4, "selected": [2, 0, 80.0], "weights": {}})
    assert (selector.selected, selector.judged) == (Selected(2, 0, 80.0), 4)
    holdout = SimpleNamespace(accuracy=[accuracy], cross_entropy=[9.0])
    selector(SimpleNamespace(state=SimpleNamespace(epoch=5, holdout=holdout)))
    assert selector.selected is not None and selector.selected.epoch == expected


def test_a_fresh_selection_survives_too() -> None:
    selector = StudentSelector(Pool(), best(3, 1, by="accuracy"))
    taken = StudentSelector(Pool(), best(3, 1, by="accuracy"))
    taken.load_state_dict(selector.state_dict())
    assert (taken.selected, taken.judged, taken.weights) == (None, 0, {})
