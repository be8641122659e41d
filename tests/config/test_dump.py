from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgl_ignite.config.dump import fingerprint, flat, to_toml, toml_lines, values
from cgl_ignite.config.schema import BackboneTable, Data, Method, Optim, Part, Pipeline, Run, Tracking

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="."), min_size=1, max_size=5)
SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8))
TREES = st.dictionaries(
    NAMES,
    st.recursive(
        st.one_of(SCALARS, st.lists(SCALARS, max_size=3)),
        lambda inner: st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TREES, st.booleans())
def test_what_is_written_reads_back(tree: dict, inline: bool) -> None:
    text = "\n".join(line for _, line in toml_lines(tree, inline=inline))
    assert tomllib.loads(text) == tree
    assert tomllib.loads(to_toml(tree)) == tree


def pipeline(**changes: object) -> Pipeline:
    part = {name: Part(kind=name) for name in ("routing", "subsets", "choose", "selection")}
    given = {
        "name": "trial",
        "seeds": [1, 2],
        "data": Data(kind="digits", holdout=9),
        "backbone": BackboneTable(kind="resnet8"),
        "method": Method(preset="cgl", students=8, **part),
        "optim": Optim(kind="adam", learning_rate=1e-3, batch_size=8),
        "run": Run(epochs=3),
    }
    return Pipeline(**{**given, **changes})


def test_parameters_are_flat() -> None:
    row = flat(pipeline())
    assert row["method.routing.kind"] == "routing"
    assert row["seeds"] == "[1, 2]"
    assert row["optim.learning_rate"] == 1e-3
    assert "data.limit" not in row
    assert {type(value) for value in row.values()} <= {str, int, float, bool}


def test_values_are_toml() -> None:
    assert tomllib.loads(to_toml(values(pipeline()))) == values(pipeline())


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"seeds": [3]},
        {"plugins": ["my_parts"]},
        {"data": Data(kind="digits", holdout=9, root=Path("/elsewhere"))},
        {"tracking": Tracking(uri="http://host")},
        {"run": Run(epochs=3, device="cpu", checkpoint_every={"seconds": 5.0}, batches_per_chunk=2)},
    ],
)
def test_fingerprint_leaves_out_what_changes_no_number(change: dict) -> None:
    assert fingerprint(pipeline(**change)) == fingerprint(pipeline())


@pytest.mark.parametrize(
    "change",
    [
        {"data": Data(kind="digits", holdout=10)},
        {"data": Data(kind="digits", holdout=9, limit=100)},
        {"run": Run(epochs=4)},
        {"run": Run(epochs=3, passes_per_epoch=2)},
        {"optim": Optim(kind="adam", learning_rate=2e-3, batch_size=8)},
    ],
)
def test_fingerprint_notices_what_does(change: dict) -> None:
    assert fingerprint(pipeline(**change)) != fingerprint(pipeline())


def test_a_new_key_changes_no_fingerprint() -> None:
    class LongerRun(Run):
        patience: int = 7

    class LaterPipeline(Pipeline):
        run: LongerRun

    def later(patience: int) -> Pipeline:
        run = LongerRun(epochs=3, patience=patience)
        return LaterPipeline.model_construct(**{**dict(pipeline(run=Run(epochs=3))), "run": run})

    assert fingerprint(later(7)) == fingerprint(pipeline(run=Run(epochs=3)))
    assert fingerprint(later(8)) != fingerprint(later(7))


def test_a_fingerprint_is_short() -> None:
    assert len(fingerprint(pipeline())) == 12
