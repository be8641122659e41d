"""The examples of ``docs/recipe.md`` are sound pipelines."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "recipe.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_an_example_binds_and_changes_the_pipeline(block: str, tmp_path: Path) -> None:
    base = ROOT / "pipelines" / "cifar10_resnet18.toml"
    (tmp_path / "mine.toml").write_text(f'extends = "{base.as_posix()}"\n{block}', encoding="utf-8")
    average = ['run.average={kind="ema"}']
    assert load_pipeline(tmp_path / "mine.toml", average) != load_pipeline(base, average)


def test_every_part_has_an_example() -> None:
    assert len(BLOCKS) == 3
