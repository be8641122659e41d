"""docs/export.md says what is true."""

from __future__ import annotations

import re
from pathlib import Path

from cgl_ignite.formats import EXPORT_FORMATS
from cgl_ignite.student.compare import TOLERANCE

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "export.md").read_text("utf-8")


def test_every_format_has_its_row() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `student(\.\w+)` \|.*\|(.*)\|$", PAGE, re.MULTILINE)
    facts = {name: EXPORT_FORMATS.facts(name) for name in EXPORT_FORMATS.kinds()}
    assert [(name, suffix) for name, suffix, _ in rows] == [(name, known["suffix"]) for name, known in facts.items()]
    for name, _, needed in rows:
        assert re.findall(r"cgl_ignite\[(\w+)\]", needed) == ([facts[name]["extra"]] if "extra" in facts[name] else [])


def test_the_tolerance_is_the_one_told() -> None:
    assert f"refuses more than {TOLERANCE:g}\n  of the largest logit" in PAGE
