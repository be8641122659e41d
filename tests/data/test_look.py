"""What is known of a data set before it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.schema import Part
from cgl_ignite.data import InputSpec, Look, input_of, look_at
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
