"""What an evaluation tells, against values known by hand and scikit-learn's matrix."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import confusion_matrix

from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.evaluation import Evaluation, wilson_interval
from cgl_ignite.analysis.evaluation_figures import confusion_figure, mistakes_figure

SURE, UNSURE = 4.0, 0.5
"""Four rows of a, of which the last is taken for b with certainty; one of b, taken for a with less."""
LOGITS = torch.tensor([[SURE, 0, 0], [SURE, 0, 0], [UNSURE, 0, 0], [0, SURE, 0], [UNSURE, 0, 0]])
FOUND = Evaluation(LOGITS, torch.tensor([0, 0, 0, 0, 1]), ["a", "b", "c"])


def test_counts_are_those_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, targets = torch.randn(200, 7, generator=generator), torch.randint(7, (200,), generator=generator)
    counts = Evaluation(logits, targets, "abcdefg").counts
    assert counts.tolist() == confusion_matrix(targets, logits.argmax(1), labels=range(7)).tolist()


def test_mistakes_begin_with_the_surest() -> None:
    assert [(one.row, one.right, one.predicted) for one in FOUND.mistakes(5)] == [(3, 0, 1), (4, 1, 0)]
    assert [one.row for one in FOUND.mistakes(1)] == [3]
    surest = FOUND.mistakes(1)[0].confidence
    assert surest == pytest.approx(100 * torch.tensor([0.0, SURE, 0.0]).softmax(0)[1].item())


def test_classes_begin_with_the_least_recall() -> None:
    titles, *rows = FOUND.table()
    assert [row[0] for row in rows] == ["b", "c", "a"]
    assert rows[2] == ("a", "4", "4", "75.0", "75.0", "75.0")
    assert titles[0] == "class"


def test_confusions_and_the_most_frequent_class() -> None:
    assert list(FOUND.confusions())[1:] == [("a", "b", "1", "25.0"), ("b", "a", "1", "100.0")]
    told = dict(FOUND.lines())
    assert told["most frequent class"] == "always answering 'a': 80.00 %"
    assert told["accuracy"].startswith("60.00 %")
    assert FOUND.tree(1)["per_class"]["b"] == {"rows": 1, "predicted": 1, "precision": 0, "recall": 0, "f1": 0}


def test_the_interval_of_a_share() -> None:
    """Wilson's interval of 0 of 10 ends at z^2 / (n + z^2), that of 10 of 10 begins at n / (n + z^2)."""
    square = 1.959964**2
    assert wilson_interval(0, 10) == (pytest.approx(0, abs=1e-9), pytest.approx(100 * square / (10 + square)))
    assert wilson_interval(10, 10) == (pytest.approx(100 * 10 / (10 + square)), pytest.approx(100))


@pytest.mark.parametrize("classes", [3, 100])
def test_pictures_name_every_class(classes: int) -> None:
    counts = torch.eye(classes).long().numpy()
    figure = confusion_figure(counts, [f"class {number}" for number in range(classes)])
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()][-1] == f"class {classes - 1}"
    assert as_png(figure).startswith(b"\x89PNG")
    sheet = mistakes_figure([torch.zeros(4, 4, dtype=torch.uint8).numpy()] * 7, ["a\nb"] * 7)
    assert len(sheet.axes) == 12
