"""What cannot become layers of a pool is refused with one message, before any data are read."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cgl_ignite.backbones import WrongInput
from cgl_ignite.backbones.cutting.network import PLUGIN
from cgl_ignite.backbones.module import module
from cgl_ignite.catalogue import bind
from cgl_ignite.cli.main import cgl
from cgl_ignite.config.load import load_document
from cgl_ignite.errors import ConfigError, InputError
from cgl_ignite.spec import InputSpec


def refusal(build: str, size: int = 8, **settings: Any) -> InputError:
    name = build if "." in build or not build[0].isupper() else f"tests.networks.{build}"
    with pytest.raises(InputError) as caught:
        module(InputSpec("image", (3, size, size)), 4, build=name, **settings)
    return caught.value


@pytest.mark.parametrize(
    ("build", "key", "message"),
    [
        ("resnet18", "backbone.build", "must be the dotted name of a function or class"),
        ("nowhere.resnet18", "backbone.build", "cannot import 'nowhere.resnet18': .*No module named 'nowhere'"),
        ("torchvision.models.resnet81", "backbone.build", "torchvision.models has no 'resnet81'; did you mean"),
        ("tests.networks.WIDTH", "backbone.build", "is a int; it must be a function or class that returns a module"),
        ("builtins.dict", "backbone.build", "must return a torch.nn.Module, not a dict"),
        ("Untraceable", "backbone", "cannot be traced .*if inputs.isnan.*its children, called one after another"),
        ("TwoTensors", "backbone.layers", "cut into only 1: 3 values cross the cut before .*: the input, "),
        ("ModeDependent", "backbone", "'sin' in training, but 'cos' in evaluation"),
        ("FixedNoise", "backbone", "a random operation in forward whose size is fixed"),
        ("Noisy", "backbone", "'randn_like' draws random numbers"),
        ("AlwaysDropping", "backbone", "'dropout' draws random numbers"),
        ("Instances", "backbone", r"changes the buffer 'blocks\.1\.(num_batches_tracked|running_mean)'"),
        ("Counting", "backbone", "'stem.1' is a OwnNorm, batch normalisation of its own kind"),
        ("Mixing", "backbone", "the answer to one row depends on the other rows"),
        ("Headless", "backbone.classifier", "no classifier is found .*'last', which is no linear layer"),
        ("Softmax", "backbone", "ends in a softmax; it must answer logits"),
        ("Maps", "backbone", r"must answer logits of shape \(3, 4\), not shape \(3, 8, 8, 4\)"),
        ("Unseeded", "backbone", "the weights 'head.bias' are not drawn by PyTorch's generator"),
        ("Strict", "backbone", "cannot take inputs of 3 x 8 x 8 .RuntimeError: mat1 and mat2 shapes"),
    ],
    ids=lambda value: value if value.isidentifier() else "",
)  # fmt: skip
def test_a_network_is_refused(build: str, key: str, message: str) -> None:
    error = refusal(build, layers=2)
    assert error.key == key
    assert re.search(message, error.message), error.message


def test_a_network_without_layers_shows_the_plugin_that_helps(tmp_path: Path) -> None:
    assert str(refusal("Untraceable")).endswith(f'plugins = ["my_net"] and backbone = {{ kind = "my_net" }}:\n{PLUGIN}')
    path = tmp_path / "net.toml"
    document(tmp_path, 'kind = "cifar10"\nroot = "nowhere"', "tests.networks.Untraceable")
    for verb in ("check", "run"):
        shown = CliRunner().invoke(cgl, [verb, str(path)])
        assert (shown.exit_code, shown.stdout) == (2, "")
        assert shown.stderr.rstrip().endswith(PLUGIN)
    compile(textwrap.dedent(PLUGIN), "my_net.py", "exec")


def test_other_options_are_refused() -> None:
    error = refusal("Body", options={"width": 3})
    assert error.key == "backbone.options"
    assert "unexpected keyword argument 'width'" in error.message


def test_more_layers_than_cuts_are_refused_with_the_cuts_there_are() -> None:
    error = refusal("Residual", layers=9)
    assert error.key == "backbone.layers"
    assert "9 layers are asked for, but the network can be cut into only 4" in error.message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("stem.9",), "no module 'stem.9'; did you mean 'stem.2'?"),
        (("blocks.1.1",), "2 values cross the cut before 'blocks.1.1': "),
    ],
)
def test_cuts_that_are_named_and_cannot_be(names: tuple[str, ...], message: str) -> None:
    error = refusal("Residual", layers=names)
    assert error.key == "backbone.layers"
    assert message in error.message


@pytest.mark.parametrize(
    ("classifier", "message"),
    [("hed", "no module 'hed'; did you mean 'head'?"), ("stem.1", "'stem.1' is a BatchNorm2d; it must be a linear")],
)
def test_a_classifier_that_is_none(classifier: str, message: str) -> None:
    error = refusal("Residual", classifier=classifier)
    assert error.key == "backbone.classifier"
    assert message in error.message


def test_two_blocks_that_are_one_stay_in_one_layer() -> None:
    error = refusal("Tied", layers=("blocks.1",))
    assert "the modules on both sides of the cut before 'blocks.1.0' share a parameter" in error.message


def document(tmp_path: Path, data: str, build: str) -> Any:
    path = tmp_path / "net.toml"
    path.write_text(
        f'[data]\n{data}\nholdout = 10\n[backbone]\nkind = "module"\nbuild = "{build}"\n'
        'layers = 2\n[method]\npreset = "cgl"\n[optim]\nkind = "adam"\nlearning_rate = 0.01\nbatch_size = 16\n'
        "[run]\nepochs = 1\n"
    )
    return load_document(path)


def test_the_line_of_the_file_is_told_before_data_are_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        bind(document(tmp_path, 'kind = "cifar10"\nroot = "nowhere"', "tests.networks.Noisy"))
    (problem,) = caught.value.problems
    assert (problem.key, problem.message[:29]) == ("backbone", "'randn_like' draws random num")


def test_a_size_is_judged_where_it_is_known(tmp_path: Path) -> None:
    """Without ``data.size`` only the files tell it."""
    folder = f'kind = "local_images"\npath = "{(tmp_path / "images").as_posix()}"'
    assert bind(document(tmp_path, folder, "tests.networks.Strict")).backbone.kind == "module"
    assert issubclass(WrongInput, InputError)


def test_timm_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import cgl_ignite.backbones.module as own

    monkeypatch.setattr(own.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"needs the package timm: pip install 'cgl_ignite\[timm\]'"):
        own.timm(InputSpec("image", (3, 8, 8)), 4, model="resnet10t")
