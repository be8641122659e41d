"""docs/your_own_network.md says what is true."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path

from cgl_ignite.backbones.cutting.network import LAYERS
from cgl_ignite.backbones.module import module
from cgl_ignite.catalogue import load_pipeline

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "your_own_network.md").read_text("utf-8")


def test_the_pipeline_shown_is_sound(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n# mobilenet.toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "mobilenet.toml"
    path.write_text(shown.replace('extends = "', f'extends = "{ROOT.as_posix()}/'), encoding="utf-8")
    pipeline = load_pipeline(path)
    assert pipeline.backbone.kind == "module"


def test_every_key_has_its_row() -> None:
    keys = [name for name, given in signature(module).parameters.items() if given.kind is given.KEYWORD_ONLY]
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == keys


def test_the_default_number_of_layers_is_the_one_told() -> None:
    assert f"Left out: {LAYERS}, or as many as there are" in PAGE
