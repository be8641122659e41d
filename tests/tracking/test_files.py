from __future__ import annotations

import os
from pathlib import Path

import pytest

from cgl_ignite.tracking.files import write_atomically


def test_what_a_killed_process_has_left_is_removed(tmp_path: Path) -> None:
    old, new, other = (tmp_path / name for name in (".a.json.123", ".a.json.456", ".b.json.123"))
    for left in (old, new, other):
        left.write_bytes(b"half of it")
    for left in (old, other):
        os.utime(left, (0, 0))
    write_atomically(tmp_path / "a.json", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", ".a.json.456", ".b.json.123"}
    assert (tmp_path / "a.json").read_bytes() == b"whole"


def test_a_failure_leaves_the_file_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a[1].json"
    write_atomically(path, b"before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"after")
    assert [(left.name, left.read_bytes()) for left in tmp_path.iterdir()] == [("a[1].json", b"before")]
