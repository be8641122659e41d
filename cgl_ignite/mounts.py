"""Which file system a path lies on, whether it is another machine's, and whether locks in it hold between machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Mount", "lock_fault", "mount_of"]

LOCAL = frozenset({
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfs", "jfs", "ntfs", "overlay", "ramfs", "reiserfs",
    "tmpfs", "ufs", "xfs", "zfs",
})  # fmt: skip
NETWORK = frozenset({
    "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.cephfs", "fuse.glusterfs", "fuse.rclone",
    "fuse.s3fs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs", "lustre", "nfs", "nfs3", "nfs4", "ocfs2", "orangefs",
    "panfs", "pvfs2", "smb", "smb2", "smb3", "smbfs", "wekafs",
})  # fmt: skip
LOCKED = frozenset({"ceph", "gfs2", "gpfs", "ocfs2"})
"""File systems of clusters whose locks hold between machines whatever they are mounted with."""
NFS, SMB = frozenset({"nfs", "nfs3", "nfs4"}), frozenset({"cifs", "smb2", "smb3"})


@dataclass(frozen=True)
class Mount:
    """A file system: its kind, where it is mounted, and the options it is mounted with."""

    kind: str
    point: Path
    options: frozenset[str] = frozenset()

    @property
    def network(self) -> bool:
        """Whether its files are on another machine."""
        return self.kind in NETWORK or "remote" in self.options

    def __str__(self) -> str:
        return f"{self.kind}, mounted at {self.point}"


def mount_of(path: Path) -> Mount | None:
    """Return the file system of a path, which need not exist yet; None if the system does not tell."""
    place = path.expanduser().absolute().resolve()
    try:
        partitions = psutil.disk_partitions(all=True)
    except (OSError, RuntimeError):
        return None
    found = [one for one in partitions if place.is_relative_to(one.mountpoint)]
    if not found:
        return None
    deepest = max(len(Path(one.mountpoint).parts) for one in found)
    last = [one for one in found if len(Path(one.mountpoint).parts) == deepest][-1]
    return Mount(last.fstype.lower(), Path(last.mountpoint), frozenset(last.opts.split(",")))


def lock_fault(path: Path) -> str:
    """Say why a lock on a file here would not keep out a process of another machine; empty if it does.

    On a disk of this machine there is no other machine, and it does.
    """
    mount = mount_of(path)
    if mount is None:
        return "its file system is unknown"
    kind, options = mount.kind, mount.options
    if kind in NFS:
        wrong = options & {"nolock", "local_lock=all", "local_lock=flock"}
        return f"{mount}, with {min(wrong)}, keeps locks to this machine" if wrong else ""
    if kind in SMB:
        return f"{mount}, with nobrl, keeps locks to this machine" if "nobrl" in options else ""
    if kind == "lustre":
        return "" if "flock" in options else f"{mount}, without the option flock, keeps locks to this machine"
    return "" if kind in LOCAL | LOCKED else f"{mount}: nothing is known of its locks"
