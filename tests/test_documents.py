"""The pages for people: every link and picture leads somewhere, and the commands shown exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.backbones import BACKBONES
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").rglob("*.md")])
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """Name the headings of a page as links to them are written."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_pipelines_and_folders_named_exist(page: Path) -> None:
    for name in re.findall(r"\b(?:pipelines|cgl_ignite|benchmarks)/[\w./-]*\w", page.read_text("utf-8")):
        assert (ROOT / name).exists(), name


@each_page
def test_commands_shown_exist(page: Path) -> None:
    shown = re.findall(r"^(?:\$ )?(?:\.venv/bin/)?cgl ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    for verb in set(shown):
        assert CliRunner().invoke(cgl, [verb, "--help"]).exit_code == 0, verb


def test_the_pipeline_shown_is_the_one_shipped() -> None:
    (shown,) = re.findall(r"```toml\n(extends.*?)```", README, re.DOTALL)
    shipped = (ROOT / "pipelines" / "cifar100_resnet18.toml").read_text("utf-8")
    assert shown.split() == re.sub(r"#.*", "", shipped).split()


@pytest.mark.parametrize("line", re.findall(r"\| `(\w+ = \{.*\})` \|", README))
def test_changes_shown_are_valid(line: str, tmp_path: Path) -> None:
    path = tmp_path / "changed.toml"
    extends = (ROOT / "pipelines" / "cifar100_resnet18.toml").as_posix()
    path.write_text(f'extends = "{extends}"\n[method]\npreset = "cgl"\n{line}\n', encoding="utf-8")
    assert load_pipeline(path) != load_pipeline(ROOT / "pipelines" / "cifar100_resnet18.toml")


def test_the_backbone_shown_can_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It registers a part, which is forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    for attribute in ("_builders", "_facts"):
        monkeypatch.setattr(BACKBONES, attribute, dict(getattr(BACKBONES, attribute)))
    (module,) = re.findall(r"```python\n# my_parts.py\n(.*?)```", README, re.DOTALL)
    (tables,) = re.findall(r"```toml\n(plugins.*?)```", README, re.DOTALL)
    (tmp_path / "my_parts.py").write_text(module, encoding="utf-8")
    extends = (ROOT / "pipelines" / "digits_resnet.toml").as_posix()
    (tmp_path / "mine.toml").write_text(f'extends = "{extends}"\n{tables}', encoding="utf-8")
    answer = CliRunner().invoke(cgl, ["check", str(tmp_path / "mine.toml")])
    sys.modules.pop("my_parts", None)
    assert answer.exit_code == 0, answer.stderr
