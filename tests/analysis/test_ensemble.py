"""The ensemble of a few students on a few samples, against values by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from cgl_ignite.analysis.ensemble import EnsembleScores, Score, ensemble_scores
from cgl_ignite.analysis.statistics import Interval

TARGETS = torch.tensor([0, 0])
LOGITS = torch.tensor([[[0.9, 0.1], [0.4, 0.6]], [[0.4, 0.6], [0.7, 0.3]]]).log()
"""Each of two students is right about one of two samples; their means are (0.65, 0.35) and (0.55, 0.45)."""


def scores(selected: int = 1) -> EnsembleScores:
    return ensemble_scores([(LOGITS, TARGETS)], selected)


def test_the_ensemble_predicts_the_mean_of_the_probabilities() -> None:
    assert scores().ensemble == pytest.approx(Score(100.0, -(log(0.65) + log(0.55)) / 2), abs=1e-6)
    assert scores().n == 2


def test_students_stand_beside_it_and_a_tie_goes_to_the_lower_cross_entropy() -> None:
    first, second = Score(50.0, -log(0.9 * 0.4) / 2), Score(50.0, -log(0.4 * 0.7) / 2)
    assert scores().students == (pytest.approx(first, abs=1e-6), pytest.approx(second, abs=1e-6))
    assert scores().best == 0
    assert scores().mean == pytest.approx(Score(50.0, -log(0.9 * 0.4 * 0.4 * 0.7) / 4), abs=1e-6)


@pytest.mark.parametrize("selected", [0, 1])
def test_the_difference_to_the_selected_student_is_paired_by_sample(selected: int) -> None:
    """Of two samples the ensemble wins one: resamples of two hold it never, once or twice."""
    found = scores(selected)
    assert (found.selected, found.difference, found.interval) == (selected, 50.0, Interval(0.0, 100.0))


def test_a_selected_student_may_be_better() -> None:
    """The others outvote it on one of four samples, which it alone gets right."""
    right, wrong = [0.9, 0.1], [0.2, 0.8]
    logits = torch.tensor([[right] * 4, [right, right, right, wrong], [right, right, right, wrong]]).log()
    found = ensemble_scores([(logits, torch.zeros(4, dtype=torch.int64))], 0)
    assert (found.ensemble.accuracy, found.difference, found.best) == (75.0, -25.0, 0)


def test_one_sure_student_is_outvoted_though_the_mean_of_the_logits_follows_it() -> None:
    logits = torch.tensor([[[0.999, 0.001]], [[0.2, 0.8]], [[0.2, 0.8]]]).log()
    assert logits.mean(dim=0).argmax() == 0
    assert ensemble_scores([(logits, torch.tensor([1]))], 0).ensemble.accuracy == 100


def test_batches_of_any_size_are_counted_by_sample() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(3, 17, 4, generator=generator), torch.randint(4, (17,), generator=generator)
    parts = zip(logits.split(5, dim=1), targets.split(5), strict=True)
    whole, divided = ensemble_scores([(logits, targets)], 2), ensemble_scores(parts, 2)
    assert divided.ensemble == pytest.approx(whole.ensemble)
    assert (divided.difference, divided.interval, divided.n) == (whole.difference, whole.interval, 17)


def test_equal_students_are_their_own_ensemble() -> None:
    logits = torch.tensor([[[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]]]).expand(4, 2, 3)
    found = ensemble_scores([(logits, torch.tensor([0, 2]))], 3)
    assert all(student == pytest.approx(found.ensemble) for student in found.students)
    assert (found.difference, found.interval) == (0.0, Interval(0.0, 0.0))
