"""Where a path lies, and whether locks hold there between machines."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from cgl_ignite.mounts import lock_fault, mount_of

TABLE = [
    ("/", "ext4", "rw,relatime"),
    ("/home", "autofs", "rw"),
    ("/home", "nfs4", "rw,vers=4.2,local_lock=none"),
    ("/home/fast", "xfs", "rw"),
    ("/old", "nfs", "rw,nolock,local_lock=all"),
    ("/scratch", "lustre", "rw,flock"),
    ("/scratch2", "lustre", "rw,localflock"),
    ("/windows", "cifs", "rw,vers=3.1.1"),
    ("/windows2", "cifs", "rw,nobrl"),
    ("/ssh", "fuse.sshfs", "rw"),
    ("/bee", "beegfs", "rw"),
    ("/gpfs", "gpfs", "rw"),
]


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    table = [SimpleNamespace(mountpoint=point, fstype=kind, opts=options) for point, kind, options in TABLE]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: table)


@pytest.mark.parametrize(
    ("path", "kind", "network"),
    [
        ("/data/mlruns", "ext4", False),
        ("/home/me/mlruns", "nfs4", True),
        ("/home/fast/mlruns", "xfs", False),
        ("/homes/me", "ext4", False),
        ("/windows/x", "cifs", True),
        ("/scratch/x", "lustre", True),
        ("/ssh/x", "fuse.sshfs", True),
    ],
)
def test_a_path_lies_on_the_deepest_mount(path: str, kind: str, network: bool) -> None:
    mount = mount_of(Path(path))
    assert mount is not None and (mount.kind, mount.network) == (kind, network)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/data", ""),
        ("/home/me", ""),
        ("/scratch/me", ""),
        ("/windows/me", ""),
        ("/gpfs/me", ""),
        ("/old/me", "nfs, mounted at /old, with local_lock=all, keeps locks to this machine"),
        ("/scratch2/me", "lustre, mounted at /scratch2, without the option flock, keeps locks to this machine"),
        ("/windows2/me", "cifs, mounted at /windows2, with nobrl, keeps locks to this machine"),
        ("/ssh/me", "fuse.sshfs, mounted at /ssh: nothing is known of its locks"),
        ("/bee/me", "beegfs, mounted at /bee: nothing is known of its locks"),
    ],
)
def test_locks_hold_where_they_are_passed_on(path: str, fault: str) -> None:
    assert lock_fault(Path(path)) == fault


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/home/me")
    mount = mount_of(tmp_path / "link" / "mlruns")
    assert mount is not None and mount.kind == "nfs4"
