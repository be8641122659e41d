"""Data whose every row can be told apart, and CIFAR-10 files of a few rows."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cgl_ignite import compat
from cgl_ignite.data import Archive, Examples, cifar

Numbered = Callable[[int, int], Examples]


@pytest.fixture(scope="session")
def numbered() -> Numbered:
    """Make rows of 1 x 1 x 2 bytes that spell their own number; their classes take turns."""

    def make(rows: int, classes: int) -> Examples:
        numbers = torch.arange(rows)
        inputs = torch.stack([numbers // 256, numbers % 256], 1).to(torch.uint8).view(rows, 1, 1, 2)
        return Examples(inputs, numbers % classes)

    return make


@pytest.fixture
def tiny_cifar10(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Archive, Path]:
    """Put an archive with the official layout of CIFAR-10, 20 rows a file, into a data root."""
    compat.ensure_torchvision()
    from torchvision import datasets

    contents = {name: _batch(seed) for seed, name in enumerate(cifar.CIFAR10.members) if name != "batches.meta"}
    contents["batches.meta"] = pickle.dumps({"label_names": [f"class {c}" for c in range(10)]})
    members = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    root = tmp_path / "root"
    root.mkdir()
    placed = root / cifar.CIFAR10.file
    with tarfile.open(placed, "w:gz") as tar:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"{cifar.CIFAR10.folder}/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    files = replace(
        cifar.CIFAR10,
        url="http://127.0.0.1:9/nobody-listens-here",
        md5=hashlib.md5(placed.read_bytes()).hexdigest(),
        members=members,
    )
    monkeypatch.setattr(cifar, "CIFAR10", files)
    train = [[name, md5] for name, md5 in members.items() if name.startswith("data_batch")]
    monkeypatch.setattr(datasets.CIFAR10, "train_list", train)
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", members["test_batch"]]])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": members["batches.meta"]})
    return files, root


def _batch(seed: int) -> bytes:
    """Write 20 images, each of one level: ten times its class plus the number of its file."""
    labels = [row % 10 for row in range(20)]
    data = np.repeat(np.array(labels, np.uint8)[:, None] * 10 + np.uint8(seed), 3072, axis=1)
    return pickle.dumps({"data": data, "labels": labels})
