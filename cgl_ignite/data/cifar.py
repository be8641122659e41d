"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32 x 32, in 10 or 100 classes, read through torchvision.

Reference: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch

from cgl_ignite import compat
from cgl_ignite.data.archive import Archive
from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec
from cgl_ignite.data.digest import listing_digest

__all__ = ["CIFAR10", "CIFAR100", "cifar10", "cifar100"]

CIFAR10 = Archive(
    kind="cifar10",
    title="CIFAR-10",
    url="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
    file="cifar-10-python.tar.gz",
    md5="c58f30108f718f92721af3b95e74349a",
    folder="cifar-10-batches-py",
    members={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
        "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
    },
)

CIFAR100 = Archive(
    kind="cifar100",
    title="CIFAR-100",
    url="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
    file="cifar-100-python.tar.gz",
    md5="eb9058c3a382ffc7106e4002c42a8d85",
    folder="cifar-100-python",
    members={
        "train": "16019d7e3df5f24257cddd939b257f8d",
        "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        "meta": "7973b15100ade9c7d40fb424638fde48",
    },
)

_SPEC = InputSpec("image", (3, 32, 32))
_FACTS: dict[str, Any] = {"modality": _SPEC.modality, "shape": _SPEC.shape, "rows": (50_000, 10_000)}


@DATASETS.register("cifar10", title=CIFAR10.title, classes=10, files=CIFAR10, **_FACTS)
def cifar10(root: Path) -> DataSource:
    """Read CIFAR-10 from its official files, fetched first if they are not there.

    Raises:
        InputError: files that cannot be fetched or are damaged.
    """
    return _source(CIFAR10, "CIFAR10", root)


@DATASETS.register("cifar100", title=CIFAR100.title, classes=100, files=CIFAR100, **_FACTS)
def cifar100(root: Path) -> DataSource:
    """Read CIFAR-100 with its 100 fine classes from its official files, fetched first if they are not there.

    Raises:
        InputError: files that cannot be fetched or are damaged.
    """
    return _source(CIFAR100, "CIFAR100", root)


def _source(files: Archive, reader: str, root: Path) -> DataSource:
    if not files.present(root):
        files.fetch(root)
    train, classes = _read(files, reader, root, train=True)
    members = [files.find(root, name) for name in files.members]
    digest = listing_digest(files.title, files.location(root), members)
    return DataSource(train, partial(_read_test, files, reader, root), classes, _SPEC, digest=digest)


def _read_test(files: Archive, reader: str, root: Path) -> Examples:
    return _read(files, reader, root, train=False)[0]


def _read(files: Archive, reader: str, root: Path, *, train: bool) -> tuple[Examples, tuple[str, ...]]:
    """Read one part; torchvision compares the checksums of all files before it opens any."""
    compat.ensure_torchvision()
    from torchvision import datasets

    try:
        part = getattr(datasets, reader)(root, train=train)
    except (RuntimeError, OSError):
        files.verify(root)
        raise
    inputs = torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous()
    return Examples(inputs, torch.tensor(part.targets)), tuple(part.classes)
