"""Official files of a data set: where they lie, whether they are whole, how they are fetched."""

from __future__ import annotations

import http.client
import logging
import os
import shlex
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from cgl_ignite import compat
from cgl_ignite.errors import InputError

__all__ = ["Archive", "find_fault"]

_log = logging.getLogger(__name__)
_PACKED = ("", ".gz", ".xz")


@dataclass(frozen=True)
class Archive:
    """A published tar archive, of which some files are kept unpacked under the data root.

    Args:
        kind: the data set's registered name.
        title: its name in messages.
        url: the address of the archive.
        file: the archive's file name.
        md5: the archive's checksum.
        folder: the folder that it unpacks to.
        members: the files needed of this folder, with their checksums; a file without a published one may
            also lie there packed, with ``.gz`` or ``.xz`` behind its name.
        others: further archives of the same files that may be placed in the root, with their checksums.
        inspect: reads a file without a checksum from end to end, and raises an InputError if it is damaged.
    """

    kind: str
    title: str
    url: str
    file: str
    md5: str
    folder: str
    members: Mapping[str, str | None]
    others: Mapping[str, str] = field(default_factory=dict)
    inspect: Callable[[Path], None] | None = None

    def location(self, root: Path) -> Path:
        """Return the folder that holds the files."""
        return root / self.folder

    @property
    def contents(self) -> str:
        """What the folder holds, in words."""
        packed = "" if all(self.members.values()) else ", which may be packed (.gz or .xz)"
        return f"the files {', '.join(self.members)}{packed}"

    def present(self, root: Path) -> bool:
        """Whether all files are there, whole or not."""
        return all(self.find(root, name).is_file() for name in self.members)

    def find(self, root: Path, name: str) -> Path:
        """Return the path of a member, which is there or should be."""
        plain = self.location(root) / name
        packed = () if self.members[name] else _PACKED
        return next((path for end in packed if (path := plain.with_name(name + end)).is_file()), plain)

    def verify(self, root: Path) -> None:
        """Compare every file with its checksum, or read it through if none is published.

        Raises:
            InputError: files that are missing, unreadable or damaged, all of them, with the checksum
                expected and the one found; or the first damaged row.
        """
        if faults := self.faults(root):
            listed = "".join(f"\n  {fault}" for fault in faults)
            raise InputError(f"{self.title}: run `{self._command(root)}` to replace{listed}")
        for name, md5 in self.members.items():
            if md5 is None and self.inspect:
                self.inspect(self.find(root, name))

    def fetch(self, root: Path) -> None:
        """Bring the files under the root and verify them; nothing happens if they are whole.

        An archive that already lies in the root is unpacked, else it is downloaded. Processes that start together wait
        for the first of them.

        Raises:
            InputError: no network, no room or a wrong checksum, with what to place where by hand.
        """
        if not self.faults(root):
            return
        try:
            root.mkdir(parents=True, exist_ok=True)
            with FileLock(root / f".{self.folder}.lock"):
                self._fetch(root)
        except (OSError, RuntimeError, http.client.HTTPException, tarfile.TarError) as error:
            raise InputError(self._by_hand(root, error)) from error
        self.verify(root)

    def _fetch(self, root: Path) -> None:
        """Fetch what another process has not fetched meanwhile; what a killed one has left is removed."""
        scratch = f".{self.folder}-"
        for left in root.glob(f"{scratch}*"):
            shutil.rmtree(left)
        if self.faults(root):
            with tempfile.TemporaryDirectory(dir=root, prefix=scratch) as folder:
                self.unpack(self.obtain(root, Path(folder)), Path(folder), self.location(root))

    def obtain(self, root: Path, scratch: Path) -> Path:
        """Return the path of the whole archive: the one placed in the root, or a download."""
        for file, md5 in {self.file: self.md5, **self.others}.items():
            placed = root / file
            if placed.is_file():
                if fault := find_fault(placed, md5):
                    raise InputError(f"{self.title}: {fault}; remove it, or place the one of {self.url}")
                return placed
        compat.ensure_torchvision()
        from torchvision.datasets.utils import download_url

        _log.info("%s is not in %s: downloading %s", self.title, root, self.url)
        download_url(self.url, scratch, self.file)
        if fault := find_fault(scratch / self.file, self.md5):
            raise RuntimeError(fault)
        return scratch / self.file

    def unpack(self, archive: Path, scratch: Path, location: Path) -> None:
        """Unpack the needed files one by one, each moved to its place when it is complete."""
        location.mkdir(exist_ok=True)
        with tarfile.open(archive) as tar:
            for name in self.members:
                packed = tar.extractfile(f"{self.folder}/{name}")
                if packed is None:
                    raise tarfile.ExtractError(f"{self.file} holds no file {self.folder}/{name}")
                with packed, (scratch / name).open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                (scratch / name).replace(location / name)

    def faults(self, root: Path) -> list[str]:
        """Say what is wrong with each file that is missing or has another checksum."""
        found = ((self.find(root, name), md5) for name, md5 in self.members.items())
        return [fault for path, md5 in found if (fault := find_fault(path, md5))]

    def _command(self, root: Path) -> str:
        return shlex.join(["cgl", "data", "fetch", self.kind, "--root", str(root)])

    def _by_hand(self, root: Path, error: Exception) -> str:
        others = "".join(f"  {root / file}  md5 {md5}\n" for file, md5 in self.others.items())
        return (
            f"{self.title} is not whole in {self.location(root)} and could not be fetched: {error}\n"
            f"Run `{self._command(root)}` where there is a network, or place one of these by hand:\n"
            f"  {root / self.file}  from {self.url}, md5 {self.md5}\n"
            f"{others}"
            f"  {root / self.folder}{os.sep}  with {self.contents}\n"
            "Another folder: data.root in the pipeline, or the environment variable CGL_DATA."
        )


def find_fault(path: Path, md5: str | None) -> str | None:
    """Say what is wrong with a file, if anything."""
    if md5 is None:
        return None if path.is_file() else f"{path} is missing"
    compat.ensure_torchvision()
    from torchvision.datasets.utils import calculate_md5

    try:
        found = calculate_md5(path)
    except FileNotFoundError:
        return f"{path} is missing (md5 {md5})"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None if found == md5 else f"{path} is damaged: md5 expected {md5}, found {found}"
