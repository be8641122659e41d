"""Structures ranked on two data sets, with the numbers of the paper's Table 7 as the runs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cgl_ignite.analyses.base import Inapplicable
from cgl_ignite.analyses.structures import examine
from cgl_ignite.analysis.paper import printed_structures
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.errors import InputError
from tests.student.runs import PIPELINE


@pytest.fixture(autouse=True)
def _plain_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgl_ignite.analyses.structures.design_of", lambda run: (run.pipeline, None))


def subject(folder: Path, structure: int, data: str, accuracy: float, *changes: str) -> Any:
    home = folder / f"{structure} {data} {len(list(folder.iterdir()))}"
    home.mkdir()
    (home / "result.json").write_text(json.dumps({"test_accuracy": accuracy}), "utf-8")
    routing = changes or (f"method.routing.seed={structure}",)
    settings = [*routing, "backbone.kind=resnet18", f"data.kind={data}", "data.augment.kind=none"]
    pipeline = load_pipeline(PIPELINE, settings)
    run = SimpleNamespace(facts={"paths": [[structure, 0]]}, path=home / "checkpoint.pt", pipeline=pipeline)
    return SimpleNamespace(run=run, label=home.name)


def of_the_paper(folder: Path) -> list[Any]:
    return [
        subject(folder, number, data, accuracy)
        for number, (_, found) in enumerate(printed_structures(), start=1)
        for data, (accuracy,) in found.items()
    ]


def test_ranks_and_correlations_of_the_paper(tmp_path: Path) -> None:
    """By hand: 7, 1, 6 is the order of the three on CIFAR-10, and 7, 6, 1 that on CIFAR-100."""
    finding = examine(of_the_paper(tmp_path))
    assert finding.columns == ("structure", "cifar10 %", "rank", "cifar100 %", "rank")
    ours, theirs = finding.rows[:13], finding.rows[13:]
    assert [row[1:] for row in ours] == [row[1:] for row in theirs]
    assert ours[6] == ("7", "94.63", "1", "78.15", "1")
    assert ours[4] == ("5", "94.45", "7.5", "–", "–")
    assert {one["coefficient"]: one["value"] for one in finding.values["correlations"]} == pytest.approx(
        {"Spearman": 0.5, "Kendall": 1 / 3}
    )
    assert (
        "the best 3 of these on cifar10 (7, 1, 6) have the ranks 1, 3, 2 on cifar100, among them and the 5 new ones"
        in (finding.notes)
    )
    assert finding.notes[0].startswith("3 structures of cifar10 and cifar100: Spearman +0.50, p")


def test_runs_of_several_seeds_are_averaged(tmp_path: Path) -> None:
    runs = [subject(tmp_path, number, "digits", accuracy) for number, accuracy in ((1, 70), (1, 90), (2, 79))]
    first, second = examine(runs).rows
    assert first[1:] == ("80.00 ± 14.14", "1") and second[1:] == ("79.00", "2")


def test_what_does_not_apply_and_what_is_wrong(tmp_path: Path) -> None:
    free = [subject(tmp_path, number, "digits", 70, "method.students=8") for number in (1, 2)]
    with pytest.raises(Inapplicable, match="fewer than two"):
        examine(free)
    other = subject(tmp_path, 2, "digits", 70, "method.routing.seed=2", "run.epochs=3")
    with pytest.raises(InputError, match="differ in more than their structure"):
        examine([subject(tmp_path, 1, "digits", 70), other])
    lost = subject(tmp_path, 2, "digits", 70)
    lost.run.path.with_name("result.json").unlink()
    with pytest.raises(InputError, match="not the result of a finished run"):
        examine([subject(tmp_path, 1, "digits", 70), lost])
