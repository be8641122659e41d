from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.cli.main import cgl

PIPELINES = sorted(map(str, (Path(__file__).resolve().parents[2] / "pipelines").glob("*.toml")))


def test_sound_pipelines() -> None:
    done = CliRunner().invoke(cgl, ["check", *PIPELINES])
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [f"{path}: ok" for path in PIPELINES]


def test_all_faults_of_all_files(workdir: Path) -> None:
    Path("a.toml").write_text("a = \n")
    Path("b.toml").write_text(Path(PIPELINES[0]).read_text().replace("extends", "# extends") + "[runs]\n")
    done = CliRunner().invoke(cgl, ["check", "a.toml", PIPELINES[0], "b.toml", "missing.toml"])
    assert done.exit_code == 2
    assert done.stdout == ""
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("error: a.toml:1: is not valid TOML")
    assert "b.toml: optim: is missing" in done.stderr
    assert "runs: unknown key; did you mean 'run'?" in done.stderr
    assert last == "missing.toml: cannot read the pipeline file (No such file or directory)"


def test_overrides_are_checked_too() -> None:
    done = CliRunner().invoke(cgl, ["check", *PIPELINES, "--set", "run.epochs=many"])
    assert done.exit_code == 2
    assert done.stderr.count("run.epochs: must be a whole number") == 1


OWN_BACKBONE = """
from torch import nn
from cgl_ignite.backbones import BACKBONES, Backbone

class Shift(nn.Linear):
    def forward(self, inputs):
        inputs -= 0.5
        return super().forward(inputs)

@BACKBONES.register("{name}", modality="image")
def build(spec, classes):
    return Backbone((nn.Flatten, lambda: {layer}(64, 8)), lambda: nn.Linear({width}, classes))
"""
OWN_PIPELINE = """
plugins = ["checked_{name}"]

[data]
kind = "digits"
holdout = 80

[backbone]
kind = "{name}"

[method]
preset = "cgl"
students = 4

[optim]
kind = "adam"
learning_rate = 0.01
batch_size = 16

[run]
epochs = 1
"""
LAYERS = {
    "sound": ("nn.Linear", 8, ""),
    "in_place": ("Shift", 8, "layer 1, counted from 0, a Shift, changes its input"),
    "unfitting": ("nn.Linear", 9, "a layer fails on inputs of shape (1, 8, 8) (RuntimeError: mat1 and mat2"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_of_a_plugin_are_run(workdir: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    layer, width, fault = LAYERS[name]
    monkeypatch.setattr(sys, "path", list(sys.path))
    for attribute in ("_builders", "_facts"):
        monkeypatch.setattr(BACKBONES, attribute, dict(getattr(BACKBONES, attribute)))
    Path(f"checked_{name}.py").write_text(OWN_BACKBONE.format(name=name, layer=layer, width=width))
    Path("mine.toml").write_text(OWN_PIPELINE.format(name=name))
    done = CliRunner().invoke(cgl, ["check", "mine.toml"])
    if fault:
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith(f"error: mine.toml:9: backbone: {fault}")
        assert len(done.stderr.splitlines()) == 1
    else:
        assert (done.exit_code, done.stdout) == (0, "mine.toml: ok\n")
    if name == "in_place":
        for verb in ("run", "show"):
            refused = CliRunner().invoke(cgl, [verb, "mine.toml"])
            assert (refused.exit_code, refused.stdout) == (2, "")
            assert f"error: backbone: {fault}" in refused.stderr
