"""Weights are read from where they lie, or refused with one message before any data are read."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import nn

from cgl_ignite.catalogue import load_pipeline, try_weights
from cgl_ignite.cli.main import cgl
from cgl_ignite.config.dump import to_toml
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline import run, session
from cgl_ignite.pretrained.files import find_weights, weights_to_fetch
from cgl_ignite.tracking.memory import MemoryTracker
from tests.equivalence.test_resume import pipeline
from tests.kinds import small_pipeline
from tests.networks import Residual

NAME = "MobileNet_V3_Small_Weights.IMAGENET1K_V1"


def refusal(folder: Path, weights: object, *changes: str, fetch: bool = False) -> str:
    with pytest.raises(InputError) as caught:
        try_weights(pipeline(folder, f"backbone.weights={weights}", *changes), fetch=fetch)
    assert caught.value.key == "backbone.weights"
    return caught.value.message


def of_module(folder: Path, build: str, **more: Any) -> dict[str, Any]:
    backbone = {"kind": "module", "build": build, "layers": 3, **more}
    return small_pipeline("local_images", folder, folder / "runs", backbone=backbone)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, tmp_path / "none.pt") == f"there is no file '{tmp_path / 'none.pt'}'"


def test_nothing_is_read_of_the_data_before_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "read_data", lambda pipeline: pytest.fail("data are read"))
    with pytest.raises(InputError, match="there is no file"):
        run(pipeline(tmp_path, f"backbone.weights={tmp_path}/none.pt"), tracker=MemoryTracker())


def test_a_kind_without_published_weights_says_what_is_possible(tmp_path: Path) -> None:
    assert "nobody publishes weights of 'resnet8': give a student file" in refusal(tmp_path, "DEFAULT")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"weight": 3}, "holds no state dict"),
        ([torch.ones(2)], "holds no state dict"),
        ({}, "holds no state dict"),
        ({"selector": {}, "pool": {}}, "is the checkpoint of a run: cgl export"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    assert message in refusal(tmp_path, saved(tmp_path / "some.pt", content))


def test_a_damaged_file_is_refused(tmp_path: Path, student: Path) -> None:
    content = bytearray(student.read_bytes())
    content[len(content) // 2] ^= 255
    (tmp_path / "damaged.pt").write_bytes(content)
    assert "cannot be read as weights" in refusal(tmp_path, tmp_path / "damaged.pt")


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    assert "cannot be read as weights" in refusal(tmp_path, saved(tmp_path / "network.pt", nn.Linear(2, 2)))


def test_weights_of_another_size_are_refused_with_a_few_names(tmp_path: Path, student: Path) -> None:
    message = refusal(tmp_path, student, "backbone.width=8")
    assert "a student of the backbone 'resnet8': its weights are not those of this network: " in message
    assert "of another shape (0.0.weight: 4 x 1 x 3 x 3, not 8 x 1 x 3 x 3, " in message


def test_weights_of_another_network_are_refused_with_a_few_names(tmp_path: Path, student: Path) -> None:
    message = refusal(tmp_path, student, "backbone.kind=resnet18")
    assert re.search(r"\d+ missing \(4\.conv1\.weight, ", message)


def test_missing_and_unexpected_weights_are_named(tmp_path: Path) -> None:
    weights = Residual().state_dict()
    weights["stem.9.weight"] = weights.pop("stem.0.weight")
    tree = of_module(tmp_path, "tests.networks.Residual", weights=str(saved(tmp_path / "own.pt", weights)))
    with pytest.raises(InputError, match=r"1 missing \(stem.0.weight\); 1 unexpected \(stem.9.weight\)"):
        try_weights(load_pipeline(tree))


def test_weights_for_other_channels_are_refused(tmp_path: Path) -> None:
    weights = saved(tmp_path / "own.pt", Residual().state_dict())
    tree = of_module(tmp_path, "tests.networks.Residual", weights=str(weights))
    tree["data"] = {"kind": "digits", "holdout": 100}
    with pytest.raises(InputError, match=r"'stem\.0' read another number of channels than the data have"):
        try_weights(load_pipeline(tree))


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_state_dicts_are_found_in_what_others_save(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    weights = Residual().state_dict()
    content: Any = {f"{prefix}{name}": value for name, value in weights.items()}
    content = content if wrapper is None else {wrapper: content, "epoch": 3}
    tree = of_module(tmp_path, "tests.networks.Residual", weights=str(saved(tmp_path / "own.pth", content)))
    found = find_weights(load_pipeline(tree).backbone, fetch=False)
    assert found is not None
    assert found.tensors.keys() == weights.keys()


def test_safetensors_are_read(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    weights = Residual().state_dict()
    safetensors.save_file(weights, tmp_path / "own.safetensors")
    tree = of_module(tmp_path, "tests.networks.Residual", weights=str(tmp_path / "own.safetensors"))
    found = find_weights(load_pipeline(tree).backbone, fetch=False)
    assert found is not None
    assert all(torch.equal(found.tensors[name], value) for name, value in weights.items())


def test_safetensors_without_the_package_tell_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.safetensors").write_bytes(b"")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'cgl_ignite[safetensors]'" in refusal(tmp_path, tmp_path / "own.safetensors")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of files of torchvision, where no network is reached."""

    def unreachable(url: str, **options: Any) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", unreachable)
    return tmp_path / "hub" / "checkpoints"


def of_torchvision(folder: Path, weights: str) -> dict[str, Any]:
    build = "torchvision.models.mobilenet_v3_small"
    tree = of_module(folder, build, weights=weights)
    tree["data"]["size"] = 32
    return tree


def test_without_a_network_the_file_and_its_place_are_named(tmp_path: Path, hub: Path) -> None:
    tree = load_pipeline(of_torchvision(tmp_path, "DEFAULT"))
    assert try_weights(tree) is None
    with pytest.raises(InputError) as caught:
        try_weights(tree, fetch=True)
    assert re.fullmatch(
        r"https://download.pytorch.org/models/(mobilenet_v3_small-\w+\.pth) cannot be fetched \(Network is "
        rf"unreachable\); without a network, fetch it elsewhere and put it at {re.escape(str(hub))}/\1",
        caught.value.message,
    )


def test_check_tells_which_weights_a_run_will_fetch(tmp_path: Path, hub: Path) -> None:
    file = tmp_path / "published.toml"
    file.write_text(to_toml(of_torchvision(tmp_path, "DEFAULT")), "utf-8")
    told = CliRunner().invoke(cgl, ["check", str(file)])
    assert (told.exit_code, told.stdout) == (0, f"{file}: ok\n  {NAME} is not on this machine: cgl run fetches it\n")
    tree = CliRunner().invoke(cgl, ["check", "--json", str(file)]).stdout
    assert json.loads(tree) == {str(file): {"weights_to_fetch": NAME}}


def test_nothing_is_fetched_for_a_file_or_no_weights(tmp_path: Path) -> None:
    own = saved(tmp_path / "own.pt", {"0.weight": torch.zeros(1)})
    assert weights_to_fetch(pipeline(tmp_path).backbone) is None
    assert weights_to_fetch(pipeline(tmp_path, f"backbone.weights={own}").backbone) is None


def test_a_name_that_torchvision_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"no such weights of MobileNet_V3_Small_Weights; did you mean 'IMAGENET1K_V1'"
    ):
        try_weights(load_pipeline(of_torchvision(tmp_path, "IMAGENET1K_V9")))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["DEFAULT", "IMAGENET1K_V1", NAME])
def test_a_file_of_torchvision_is_read_with_its_normalisation(tmp_path: Path, hub: Path, name: str) -> None:
    from torchvision.models import MobileNet_V3_Small_Weights as Known
    from torchvision.models import mobilenet_v3_small

    hub.mkdir(parents=True)
    saved(hub / Known.DEFAULT.url.rpartition("/")[2], mobilenet_v3_small().state_dict())
    beginning = try_weights(load_pipeline(of_torchvision(tmp_path, name)))
    assert beginning is not None
    assert (beginning.title, beginning.classifier, beginning.size) == (NAME, False, (224, 224))
    assert beginning.normaliser is not None
    assert beginning.normaliser.mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert beginning.normaliser.std.tolist() == pytest.approx([0.229, 0.224, 0.225])
