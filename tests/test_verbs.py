"""Every verb on every kind of data, and the paper's comparison on every pipeline that is shipped: each cell a test."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.cli.main import cgl
from cgl_ignite.config.dump import to_toml
from cgl_ignite.config.presets import PAPER_METHODS
from cgl_ignite.data import DATASETS
from tests.kinds import IMAGES, KINDS, NEEDS_DOWNLOAD, TEXTS, small_pipeline, write_rows
from tests.texts import without_models

each_kind = pytest.mark.parametrize("kind", KINDS)
SHIPPED = sorted((Path(__file__).resolve().parents[1] / "pipelines").glob("*.toml"))
SMALL = {
    "resnet": ["backbone.width=2"],
    "recommended": ["backbone.width=2"],
    "vdcnn": ["backbone.width=2", "backbone.embedding=4"],
} | {"transformer": [f"backbone.{name}" for name in ("width=8", "embedding=8", "heads=2", "feed_forward=8")]}
"""Changes that make the backbone of a shipped pipeline small, by a part of the pipeline's name."""


class Place(NamedTuple):
    """A pipeline on a few rows of a data set, and what a run of it printed."""

    pipeline: Path
    root: Path
    result: dict[str, Any]


def command(*arguments: object) -> Result:
    done = CliRunner().invoke(cgl, list(map(str, arguments)))
    assert done.exit_code == 0, done.stderr
    return done


def root_of(kind: str, own: Path, request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue("data_root") if kind in NEEDS_DOWNLOAD else own


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Place]]:
    places: dict[str, Place] = {}

    def trained(kind: str) -> Place:
        if kind not in places:
            home = tmp_path_factory.mktemp(kind)
            root = root_of(kind, home / "root", request)
            path = home / "small.toml"
            path.write_text(to_toml(small_pipeline(kind, root, home / "mlruns")), "utf-8")
            done = command("run", path, "--quiet", "--json")
            places[kind] = Place(path, root, json.loads(done.stdout))
        return places[kind]

    with pytest.MonkeyPatch.context() as patch:
        without_models(patch)
        yield trained


def test_no_method_is_forgotten() -> None:
    assert {method for _, methods in TWO_IN_TURN for method in methods} == set(PAPER_METHODS)


def test_no_kind_is_forgotten() -> None:
    assert set(KINDS) == set(DATASETS.kinds())
    assert {kind for kind in KINDS if DATASETS.facts(kind)["modality"] == "text"} == set(TEXTS)


@each_kind
def test_run_hands_over_a_student(kind: str, place: Callable[[str], Place]) -> None:
    result = place(kind).result
    assert result["dataset"] == kind
    assert 0 <= result["test_accuracy"] <= 100
    assert Path(result["student"]).is_file()


@each_kind
def test_resume_prints_the_result_again(kind: str, place: Callable[[str], Place]) -> None:
    here = place(kind)
    again = json.loads(command("run", here.pipeline, "--resume", "--quiet", "--json").stdout)
    assert (again["run_id"], again["test_accuracy"]) == (here.result["run_id"], here.result["test_accuracy"])


@each_kind
def test_check_and_show(kind: str, place: Callable[[str], Place]) -> None:
    here = place(kind)
    assert "ok" in command("check", here.pipeline).stdout
    assert "parameters" in command("show", here.pipeline).stdout


@each_kind
def test_new_writes_a_pipeline_that_checks(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "new.toml"
    command("new", "--dataset", kind, "--backbone", "resnet8" if kind in IMAGES else "vdcnn9", "-o", path)
    assert "ok" in command("check", path).stdout


@each_kind
def test_compare_shows_both_methods(kind: str, place: Callable[[str], Place]) -> None:
    options = ("--methods", "baseline,cgl", "--seeds", "1", "--quiet", "--json")
    tree = json.loads(command("compare", place(kind).pipeline, *options).stdout)
    assert [run["method"] for run in tree["runs"]] == ["baseline", "cgl"]
    assert set(tree["mean"]) == {"baseline", "cgl"}


@each_kind
def test_evaluate_finds_the_accuracy_of_the_run(kind: str, place: Callable[[str], Place]) -> None:
    here = place(kind)
    options = ("--root", here.root, "--limit", 44, "--json")
    measured = json.loads(command("evaluate", here.result["student"], kind, *options).stdout)
    assert measured["accuracy"] == pytest.approx(here.result["test_accuracy"])


@each_kind
def test_predict_names_a_class(kind: str, place: Callable[[str], Place], tmp_path: Path) -> None:
    write_rows("local_images", tmp_path)
    given = next(tmp_path.rglob("*.png")) if kind in IMAGES else "the food was cold"
    (answer,) = json.loads(command("predict", place(kind).result["student"], given, "--json").stdout)["predictions"]
    assert 0 < answer["probability"] <= 1


@each_kind
def test_export_writes_a_file(kind: str, place: Callable[[str], Place], tmp_path: Path) -> None:
    here = place(kind)
    command("export", here.result["checkpoint"], "-o", tmp_path / "student.pt")
    assert (tmp_path / "student.pt").is_file()


@each_kind
def test_bench_measures_a_training(kind: str, place: Callable[[str], Place]) -> None:
    options = ("--part", "training", "--rounds", 1, "--iterations", 1, "--quiet", "--json")
    tree = json.loads(command("bench", place(kind).pipeline, *options).stdout)
    assert tree["training"]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if DATASETS.facts(kind)["files"]])
def test_verify_reads_the_files(kind: str, place: Callable[[str], Place]) -> None:
    assert command("data", "verify", kind, "--root", place(kind).root).stdout.startswith(f"{kind}  whole")


TWO_IN_TURN = [(path, (PAPER_METHODS * 2)[turn % 6 : turn % 6 + 4 : 3]) for turn, path in enumerate(SHIPPED)]
"""Each pipeline with two methods, and each method with two pipelines or more."""


@pytest.mark.parametrize(
    ("path", "methods"),
    [*TWO_IN_TURN, *(pytest.param(path, PAPER_METHODS, marks=pytest.mark.slow) for path in SHIPPED)],
    ids=lambda value: value.stem if isinstance(value, Path) else ",".join(value),
)
def test_every_shipped_pipeline_is_compared(
    path: Path,
    methods: tuple[str, ...],
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the methods of the paper, two steps each."""
    without_models(monkeypatch)
    kind = {
        "cifar10": "cifar10",
        "cifar100": "cifar100",
        "digits": "digits",
        "imdb": "imdb",
        "yelp": "yelp_review_full",
    }
    kind |= {"yahoo": "yahoo_answers", "amazon": "amazon_review_full"}
    data = write_rows(kind[path.stem.split("_")[0]], root_of(kind[path.stem.split("_")[0]], tmp_path / "root", request))
    changes = [f"data.root={data['root']}", "data.limit=44", "data.holdout=12", "optim.batch_size=64", "run.epochs=2"]
    changes += next(small for part, small in SMALL.items() if part in path.stem)
    changes += ["data.encoding.length=64"] if data["kind"] in TEXTS else []
    changes += [f"tracking.folder={tmp_path / 'mlruns'}", "run.threads=1"]
    options = [part for change in changes for part in ("--set", change)]
    named = "all" if methods == PAPER_METHODS else ",".join(methods)
    done = command("compare", path, "--methods", named, "--seeds", "1", "--quiet", "--json", *options)
    tree = json.loads(done.stdout)
    assert [run["method"] for run in tree["runs"]] == list(methods)
    assert {row["cost"]["steps"] for row in tree["table"]} == {2}
