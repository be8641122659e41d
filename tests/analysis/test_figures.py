from __future__ import annotations

import io
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from cgl_ignite.analysis.canvas import PALETTE
from cgl_ignite.analysis.figures import diversity_figure, routing_figure, training_figure
from cgl_ignite.analysis.series import Series
from cgl_ignite.tracking import MetricsRow
from cgl_ignite.tracking.keys import per_student


def texts(axes):
    return [text.get_text() for text in axes.texts]


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=40)
    return buffer.getvalue()


def rows(students=3, epochs=4, imitation=0.5):
    table = []
    for epoch in range(1, epochs + 1):
        values = per_student("holdout/accuracy", [50.0 + epoch + student for student in range(students)], 0)
        values |= per_student("training/cross_entropy", [1.0 / epoch] * students, 0)
        values |= per_student("holdout/cross_entropy", [2.0 / epoch] * students, 0)
        values |= per_student("training/imitation", [imitation] * students, 0)
        values |= {
            "schedule/ramp": epoch / epochs,
            "selected/student": 1.0,
            "selected/epoch": epoch - epoch % 2 or 1,
        }
        values |= {"holdout/diversity": 0.3} if students > 1 else {}
        table.append(MetricsRow(epoch, epoch, values))
    return [*table, MetricsRow(epochs, 99, {"test/accuracy_mean": 50.0}, final=True)]


def test_equal_modules_have_equal_colours_and_their_number():
    grid, common = routing_figure([[0, 1], [0, 0], [1, 0]], selected=2).axes
    colors = grid.collections[0].to_rgba([0, 1])[:, :3]
    np.testing.assert_allclose(colors, [to_rgb(PALETTE[0]), to_rgb(PALETTE[1])])
    assert texts(grid)[:6] == ["0", "1", "0", "0", "1", "0"]
    assert "selected" in texts(grid)
    assert texts(common)[:3] == ["1", "0", "1"]


def test_one_student_shares_with_nobody():
    assert len(routing_figure([[0, 0, 0]]).axes) == 1


def test_more_modules_than_colours_are_still_told_apart():
    grid = routing_figure([[student] for student in range(12)]).axes[0]
    assert len({tuple(color) for color in grid.collections[0].to_rgba(range(12))}) == 12


def test_a_diversity_matrix_carries_its_values_and_their_mean():
    [axes] = diversity_figure([[0.0, 0.1, 0.2], [0.1, 0.0, 0.6], [0.2, 0.6, 0.0]], selected=1).axes
    assert texts(axes)[:3] == ["0.10", "0.20", "0.60"]
    assert axes.get_title(loc="left") == "Diversity 0.300"


def test_curves_show_every_student_and_where_the_selected_one_was_taken():
    figure = training_figure(rows())
    accuracy = figure.axes[0]
    heights = [list(line.get_ydata()) for line in accuracy.lines if len(line.get_xdata()) == 4]
    assert heights.count([52.0, 53.0, 54.0, 55.0]) == 2
    assert [51.0, 52.0, 53.0, 54.0] in heights
    assert [53.0, 54.0, 55.0, 56.0] in heights
    assert "selected: student 1, epoch 4, 55.00 %" in texts(accuracy)
    assert [axes.get_title(loc="left") for axes in figure.axes[1:]] == [
        "Cross-entropy with labels", "KL to the imitated", "Ramp-up φ", "Diversity"
    ]  # fmt: skip


def test_a_lone_student_has_no_panels_of_imitation_and_diversity():
    table = [
        MetricsRow(row.epoch, 0, {**row.values, "selected/student": 0.0}, row.final) for row in rows(1, imitation=0.0)
    ]
    assert len(training_figure(table).axes) == 2


@pytest.mark.parametrize("students", [2, 8, 64])
def test_all_figures_can_be_saved(students):
    generator = np.random.default_rng(students)
    distances = generator.random((students, students))
    for figure in (
        routing_figure(generator.integers(0, 2, (students, 9)).tolist(), 1),
        diversity_figure(((distances + distances.T) / 2).tolist(), 1),
        training_figure(rows(students)),
        training_figure(rows(students, epochs=1)),
    ):
        assert png(figure).startswith(b"\x89PNG")


def test_figures_keep_to_the_house_style_and_leave_the_users_alone(monkeypatch):
    plain = png(routing_figure([[0, 1]]))
    monkeypatch.setitem(mpl.rcParams, "font.size", 30.0)
    assert png(routing_figure([[0, 1]])) == plain
    assert mpl.rcParams["font.size"] == 30.0


def test_what_an_epoch_lacks_is_nan():
    series = Series([MetricsRow(1, 0, {"a": 1.0}), MetricsRow(2, 0, {}), MetricsRow(2, 0, {"a": 9.0}, final=True)])
    np.testing.assert_equal(series.values("a"), [1.0, np.nan])
    assert not series.has("b")


def test_figures_need_no_window_system_and_nothing_before_the_first_one():
    script = (
        "import sys; from cgl_ignite.analysis.figures import routing_figure;"
        "print('matplotlib' in sys.modules); routing_figure([[0, 1]]); print('matplotlib.pyplot' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert answer.stdout.split() == ["False", "False"]
