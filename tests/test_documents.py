"""The pages for people: every link and picture leads somewhere, and the commands shown exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cgl_ignite.cli.main import cgl

ROOT = Path(__file__).resolve().parents[1]
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
