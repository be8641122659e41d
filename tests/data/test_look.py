"""What is known of a data set before it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Part
from cgl_ignite.data import DATASETS, InputSpec, Look, input_of, is_present, look_at
from cgl_ignite.errors import InputError

AS_IT_IS = Part(kind="none")
PIPELINES = Path(__file__).resolve().parents[2] / "pipelines"


def test_a_data_set_of_one_form_is_certain() -> None:
    look = look_at("cifar100", {}, files=False)
    assert look == Look((3, 32, 32), 100, 50_000, None, 10_000)
    assert input_of("cifar100", AS_IT_IS, look) == (InputSpec("image", (3, 32, 32)), 100, True)


def test_a_form_is_assumed_where_only_files_tell() -> None:
    unknown = look_at("local_images", {"path": "nowhere"}, files=True)
    assert input_of("local_images", AS_IT_IS, unknown) == (InputSpec("image", (3, 32, 32)), 2, False)
    sized = look_at("local_images", {"path": "nowhere", "size": 224}, files=True)
    assert input_of("local_images", AS_IT_IS, sized) == (InputSpec("image", (3, 224, 224)), 2, False)


@pytest.mark.parametrize(
    ("encoding", "spec"),
    [
        ("{kind='characters'}", InputSpec("text", (1024,), vocabulary=69)),
        ("{kind='sentencepiece', length=64, vocabulary=500}", InputSpec("text", (64,), vocabulary=500)),
    ],
)
def test_texts_have_the_form_of_their_encoding(encoding: str, spec: InputSpec) -> None:
    data = load_pipeline(PIPELINES / "imdb_transformer.toml", [f"data.encoding={encoding}"]).data
    assert input_of("imdb", data.encoding, look_at("imdb", {}, files=False)) == (spec, 2, True)
    assert input_of("local_text", data.encoding, look_at("local_text", {}, files=False)) == (spec, 2, False)


@pytest.mark.parametrize(
    ("look", "holdout", "limit", "rows"),
    [
        (Look(), 5, None, None),
        (Look(train=100, test=30), 20, None, (80, 20, 30)),
        (Look(train=100, test=30), 0.1, 50, (45, 5, 30)),
        (Look(train=100, test=30), 0.1, 20, (18, 2, 20)),
        (Look(train=100, holdout=40, test=30), None, None, (100, 40, 30)),
        (Look(train=100, holdout=40, test=30), 5, 35, (35, 35, 30)),
    ],
)
def test_rows_are_divided_as_in_a_run(
    look: Look, holdout: float | None, limit: int | None, rows: tuple[int, int, int] | None
) -> None:
    assert look.rows(holdout, limit) == rows


def test_a_holdout_must_leave_rows() -> None:
    with pytest.raises(InputError, match=r"data\.holdout = 100 must be less than the 100 training rows"):
        Look(train=100, test=30).rows(100, None)


def test_a_table_that_is_not_there_tells_nothing() -> None:
    assert look_at("local_text", {"path": "nowhere.csv"}, files=True) == Look()


@pytest.fixture
def loose(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of two loose files that tells whether they are there, and one that does not."""
    for name in ("_builders", "_facts"):
        monkeypatch.setattr(DATASETS, name, dict(getattr(DATASETS, name)))
    facts = {"title": "", "modality": "image", "shape": (1, 2, 2), "classes": 2, "rows": (40, 2), "files": None}

    def build(root: Path, *, name: str = "pair") -> None:
        raise InputError("place them")

    def present(root: Path, options: dict[str, str]) -> bool:
        return all((root / f"{options['name']}.{part}").is_file() for part in ("train", "test"))

    DATASETS.register("loose", where="two files", present=present, **facts)(build)
    DATASETS.register("silent", where="two files", **facts)(build)
    DATASETS.register("named", where="two files", present=present, **facts)(lambda root, *, name: None)


@pytest.mark.usefixtures("loose")
def test_files_are_present_if_the_data_set_says_so(tmp_path: Path) -> None:
    kinds = ("loose", "silent", "named", "cifar10", "digits", "local_images", "local_text")
    found = [is_present(kind, tmp_path) for kind in kinds]
    assert found == [False, None, None, False, True, None, None]
    for name in ("pair.train", "pair.test", "other.train"):
        (tmp_path / name).touch()
    assert [is_present("loose", tmp_path, options) for options in (None, {}, {"name": "other"})] == [True, True, False]
    assert [is_present("named", tmp_path, {"name": name}) for name in ("pair", "other")] == [True, False]
    assert is_present("silent", tmp_path) is None


@pytest.mark.usefixtures("loose")
def test_made_up_images_stand_in_for_files_that_are_known_to_be_missing(tmp_path: Path) -> None:
    from cgl_ignite.bench.synthetic import is_absent

    def absent(kind: str, *changes: str) -> bool:
        chosen = [f"data.kind={kind}", f"data.root={tmp_path.as_posix()}", "data.holdout=1", "data.augment.kind=none"]
        few = ["method.students=2", "method.choose.probability=0.5"]
        return is_absent(load_pipeline(PIPELINES / "cifar10_resnet18.toml", [*chosen, *few, *changes]))

    assert [absent(kind) for kind in ("loose", "silent", "cifar10", "digits")] == [True, False, True, False]
    for part in ("train", "test"):
        (tmp_path / f"pair.{part}").touch()
    assert [absent("loose"), absent("loose", "data.name=other")] == [False, True]
