"""Every format holds what was measured and can be read back; the paper's numbers are marked wherever they stand."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from cgl_ignite.analysis.columns import used_columns
from cgl_ignite.analysis.comparison import Cost, Difference, TableRow
from cgl_ignite.analysis.cost_curves import curves_of
from cgl_ignite.analysis.notes import notes
from cgl_ignite.analysis.paper import STATEMENT
from cgl_ignite.analysis.statistics import Interval, Spread
from cgl_ignite.analysis.tables import as_csv, as_json, as_latex, as_markdown


def row(method="cgl", **changes):
    values = {
        "method": method,
        "curve": method,
        "seeds": (1, 2),
        "failed": {},
        "accuracy": Spread(94.5, 0.25),
        "mean_accuracy": Spread(93.0, 0.5),
        "diversity": Spread(0.3125, 0.01),
        "parameters": 1_234_567,
        "parameters_student": 617_000,
        "cost": Cost(steps=12_000, passes=1, multiply_adds=2.5e9, work=1e15),
        "seconds": Spread(3671.0, 10.0),
        "difference": -0.75,
        "over_seeds": Interval(-2.0, 0.5),
        "over_samples": Interval(-1.0, -0.5),
        "paper": Spread(94.61, 0.06),
        "deviations": {},
    }
    return TableRow(**{**values, **changes})


BASELINE = row("baseline", difference=None, over_seeds=None, over_samples=None, paper=None, diversity=None)
ROWS = [BASELINE, row(), row("a_b & 50%", failed={3: "a loss that is not finite"}, deviations={"run.epochs": 3})]


def length(curve, times, work, accuracies, against=None):
    """A row of a comparison over several lengths."""
    cost = Cost(steps=1, passes=1, multiply_adds=1.0, work=work)
    scores = dict(enumerate(accuracies))
    return row(f"{curve} x{times}", curve=curve, length=times, cost=cost, accuracies=scores, against=against)


def test_rows_of_several_lengths_say_to_what_they_are_compared_and_where_they_cross():
    """One network is ahead by 4 ± 1, then behind by 4 ± 1 in every pair but the last: -7, 4 and 15."""
    rows = [
        length("one", 1, 1e9, [50, 60, 70]),
        length("one", 2, 1e11, [50, 60, 70]),
        length("dml", 1, 1e9, [47, 56, 65], against="one x1"),
        length("dml", 2, 1e11, [53, 64, 75], against="one x2"),
        length("odd", 1, 1e9, [47, 56, 65], against="one x1"),
        length("odd", 2, 1e11, [43, 64, 85], against="one x2"),
    ]
    assert [(row["curve"], row["length"]) for row in csv.DictReader(io.StringIO(as_csv(rows)))][1::4] == [
        ("one", "2"),
        ("odd", "2"),
    ]
    titles = [" ".join(title) for title, _, _ in used_columns(rows, "one")]
    assert "difference to one" in titles
    said = list(notes(rows, "epochs"))
    assert "differences are to one of the same length" in said
    assert [text for text in said if "equal cost" in text] == [
        "at equal cost, 100G multiply-adds of training: dml +4.00 [+1.52, +6.48] to one",
        "at equal cost, 100G multiply-adds of training: odd +4.00 [-23.33, +31.33] to one",
    ]
    assert [text for text in said if "ahead" in text] == [
        "one is ahead of dml up to 10G multiply-adds of training, and behind after that",
        "one is ahead of odd up to 10G multiply-adds of training, and behind after that (not certain)",
    ]


def test_a_name_that_ends_like_a_length_is_none():
    """A sweep may call its points ``x1`` and ``x2``; each row is a curve of its own."""
    rows = [row("cgl x1", accuracies={1: 50.0}), row("cgl x2", accuracies={1: 60.0}, against="cgl x1")]
    assert not [text for text in notes(rows, "epochs") if "length" in text or "equal cost" in text]
    assert list(curves_of(rows)) == ["cgl x1", "cgl x2"]


def test_differences_of_metrics_stand_in_every_format():
    sure, unsure = Difference(2.5, Interval(1.0, 4.0)), Difference(-0.25, None)
    measured = {"macro_f1": Spread(50.0, 1.0), "roc_auc": Spread(0.75, None)}
    rows = [BASELINE, row(metrics=measured, differences={"macro_f1": sure, "roc_auc": unsure})]
    cells = {" ".join(title): texts for title, texts, _ in used_columns(rows, "baseline")}
    assert cells["macro f1: difference to baseline"] == ["–", "+2.50"]
    assert cells["macro f1: 95 % interval over seeds"] == ["–", "[+1.00, +4.00]"]
    assert cells["macro f1: difference certain"] == ["–", "yes"]
    assert cells["roc auc: difference to baseline"] == ["–", "-0.2500"]
    assert "roc auc: difference certain" not in cells
    assert "macro f1: difference to baseline" in as_markdown(rows, "baseline", "epochs")
    tree = json.loads(json.dumps(as_json(rows[1])))
    assert tree["differences"] == {
        "macro_f1": {"mean": 2.5, "over_seeds": {"low": 1.0, "high": 4.0}, "certain": True},
        "roc_auc": {"mean": -0.25, "over_seeds": None, "certain": None},
    }
    _, record = csv.DictReader(as_csv(rows).splitlines())
    assert (record["macro_f1_difference"], record["macro_f1_difference_low"]) == ("2.5", "1.0")


def test_cells():
    cells = {" ".join(title).strip(): texts[1] for title, texts, _ in used_columns(ROWS, "baseline")}
    assert cells == {
        "method": "cgl",
        "test accuracy selected, %": "94.50 ± 0.25",
        "of all students, %": "93.00 ± 0.50",
        "diversity": "0.312 ± 0.010",
        "parameters all / one": "1.23M / 617k",
        "MAdds per sample": "2.5G",
        "training MAdds": "1P",
        "optimizer steps": "12,000",
        "training time": "1:01:11",
        "difference to baseline": "-0.75",
        "95 % interval over seeds": "[-2.00, +0.50]",
        "difference certain": "no",
        "95 % interval over samples": "[-1.00, -0.50]",
        "the paper's": "paper: 94.61 ± 0.06",
    }


def test_a_narrow_screen_keeps_what_the_paper_prints():
    def kept(metric):
        columns = used_columns([row(paper=Spread(0.5, None), paper_metric=metric)], "baseline")
        return {title[1]: keep for title, _, keep in columns}

    assert kept("accuracy")["diversity"] < kept("accuracy")["MAdds"]
    assert kept("diversity")["diversity"] == kept("diversity")["the paper's"] == 9


def test_columns_without_any_value_are_left_out():
    titles = [title[1] for title, _, _ in used_columns([BASELINE], "baseline")]
    assert "the paper's" not in titles and "diversity" not in titles and "method" in titles


def test_markdown_reads_back():
    table, _, below = as_markdown(ROWS, "baseline", "epochs").partition("\n\n")
    lines = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()]
    assert len({len(line) for line in lines}) == 1
    assert [line[0] for line in lines[2:]] == ["baseline", "cgl", r"a\_b & 50%\*"]
    assert lines[4][1] == "94.50 ± 0.25 1 failed"
    assert "not finite" in below and "run.epochs = 3" in below


def test_csv_reads_back_as_numbers():
    records = list(csv.DictReader(as_csv(ROWS).splitlines()))
    assert [record["method"] for record in records] == ["baseline", "cgl", "a_b & 50%"]
    assert float(records[1]["accuracy_mean"]) == 94.5 and float(records[1]["over_seeds_low"]) == -2.0
    assert float(records[1]["paper_mean"]) == 94.61 and records[0]["paper_mean"] == ""
    assert (records[2]["failed"], records[2]["deviations"]) == ("3", "run.epochs = 3")


def test_latex_is_escaped_and_has_as_many_cells_in_every_line():
    text = as_latex(ROWS, "baseline", "epochs")
    assert r"a\_b \& 50\%*" in text and r"94.50 $\pm$ 0.25" in text and "[$-$2.00, +0.50]" in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 2 + len(ROWS)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {13}
    assert text.count(r"\begin{tabular}{l" + "r" * 13 + "}") == 1
    assert not re.findall(r"(?<!\\)[%#_]", body)


def test_json_reads_back():
    tree = json.loads(json.dumps(as_json(ROWS[1])))
    assert tree["accuracy"] == {"mean": 94.5, "std": 0.25}
    assert tree["paper"] == {"mean": 94.61, "std": 0.06}
    assert tree["cost"]["steps"] == 12_000


def test_the_papers_numbers_are_marked_as_the_papers():
    for text in (as_markdown(ROWS, "baseline", "epochs"), as_latex(ROWS, "baseline", "epochs")):
        assert text.count("94.61") == text.count("paper: 94.61") == 2
        assert STATEMENT[:60] in text.replace("\\", "")
    header, *_ = as_csv(ROWS).splitlines()
    assert "paper_mean" in header


def test_without_numbers_of_the_paper_there_is_no_statement():
    assert not any("paper" in note for note in notes([BASELINE], "epochs"))


def test_equal_steps_are_told_with_their_passes():
    (*_, told) = notes([BASELINE, row(paper=None, cost=Cost(40, 8, 1.0, 1.0))], "steps")
    assert told.endswith("baseline 1, cgl 8")


@pytest.mark.parametrize("equal", ["cost", "cost=1.5e+12"])
def test_equal_cost_is_told_with_its_epochs(equal):
    (*_, told) = notes([row(paper=None, cost=Cost(40, 8, 1.0, 1.0, epochs=120))], equal)
    assert told == "equal multiply-adds of the training: epochs: cgl 120"


@pytest.mark.parametrize(("low", "high", "certain"), [(0.1, 2.0, "yes"), (-2.0, -0.1, "yes"), (-0.1, 2.0, "no")])
def test_a_difference_is_certain_if_its_interval_leaves_out_zero(low, high, certain):
    cells = {" ".join(title): texts for title, texts, _ in used_columns([row(over_seeds=Interval(low, high))], "x")}
    assert cells["difference certain"] == [certain]


@pytest.mark.parametrize(("count", "text"), [(987, "987"), (999_600, "1M"), (1_234_567, "1.23M")])
def test_sizes_have_three_digits(count, text):
    cells = {title[0]: texts for title, texts, _ in used_columns([row(parameters=count)], "x")}
    assert cells["parameters"][0].split(" / ")[0] == text
