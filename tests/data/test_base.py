from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite.data import DATASETS, Examples, data_root


def test_examples_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="3 inputs for 2 targets"):
        Examples(torch.zeros(3, 1, 1, 1), torch.zeros(2))


def test_examples_take_rows_in_the_order_asked_for() -> None:
    examples = Examples(torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1), torch.tensor([5, 6, 7, 8]))
    taken = examples.take(torch.tensor([3, 1, 1]))
    assert taken.inputs.flatten().tolist() == [3, 1, 1]
    assert taken.targets.tolist() == [8, 6, 6]
    assert len(taken) == 3


def test_examples_already_on_the_device_are_not_copied() -> None:
    examples = Examples(torch.zeros(2, 1, 1, 1), torch.zeros(2))
    assert examples.to("cpu").inputs.data_ptr() == examples.inputs.data_ptr()


def test_data_root_prefers_the_argument_then_the_environment_then_the_cache(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CGL_DATA", "/from/environment")
    assert data_root(Path("/given")) == Path("/given")
    assert data_root(None) == Path("/from/environment")
    monkeypatch.delenv("CGL_DATA")
    assert data_root(None) == Path.home() / ".cache" / "cgl_ignite"
    assert data_root(Path("~/x")) == Path.home() / "x"


@pytest.mark.parametrize("kind", DATASETS.kinds())
def test_every_data_set_states_its_facts(kind: str) -> None:
    facts = DATASETS.facts(kind)
    assert facts["title"]
    assert facts["modality"]
    assert {"shape", "classes", "rows", "files"} <= facts.keys()
    if facts["files"] is None:
        assert facts["where"]
    else:
        assert facts["files"].kind == kind
