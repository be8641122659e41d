from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cgl_ignite import compat
from cgl_ignite.data import DATASETS, Archive, DataSource, cifar, cifar10
from cgl_ignite.errors import InputError

Tiny = tuple[Archive, Path]


@pytest.mark.parametrize("kind", ["cifar10", "cifar100"])
def test_official_files_are_those_of_torchvision(kind: str) -> None:
    compat.ensure_torchvision()
    from torchvision import datasets

    published = getattr(datasets, kind.upper())
    files: Archive = DATASETS.facts(kind)["files"]
    assert (files.url, files.file, files.md5) == (published.url, published.filename, published.tgz_md5)
    assert files.folder == published.base_folder
    members = dict(published.train_list + published.test_list)
    assert files.members == {**members, published.meta["filename"]: published.meta["md5"]}


def test_missing_files_are_fetched_and_read_in_their_order(tiny_cifar10: Tiny) -> None:
    _, root = tiny_cifar10
    source = cifar10(root)
    assert source.train.inputs.shape == (100, 3, 32, 32)
    assert source.train.inputs.dtype == torch.uint8
    assert source.train.inputs.is_contiguous()
    expected = [row % 10 * 10 + batch for batch in range(5) for row in range(20)]
    assert source.train.inputs[:, 0, 0, 0].tolist() == expected
    assert source.train.targets.tolist() == [row % 10 for row in range(20)] * 5
    assert source.classes == tuple(f"class {c}" for c in range(10))
    assert source.test().inputs[:, 2, 31, 31].tolist() == [row % 10 * 10 + 5 for row in range(20)]


@pytest.mark.parametrize("name", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_damaged_file_is_named_with_both_checksums(tiny_cifar10: Tiny, name: str) -> None:
    files, root = tiny_cifar10
    files.fetch(root)
    (files.location(root) / name).write_bytes(b"")
    expected = rf"{name} is damaged: md5 expected {files.members[name]}, found d41d8"
    with pytest.raises(InputError, match=expected):
        cifar10(root)


def test_offline_without_files_the_error_helps(tiny_cifar10: Tiny) -> None:
    files, root = tiny_cifar10
    (root / files.file).unlink()
    with pytest.raises(InputError, match="CIFAR-10 is not whole in"):
        cifar10(root)


@pytest.mark.parametrize(("kind", "first", "last"), [("cifar10", "airplane", "truck"), ("cifar100", "apple", "worm")])
def test_official_rows(data_root: Path, kind: str, first: str, last: str) -> None:
    facts = DATASETS.facts(kind)
    facts["files"].verify(data_root)
    source: DataSource = DATASETS.get(kind)(data_root)
    test = source.test()
    assert (len(source.train), len(test)) == facts["rows"]
    assert tuple(test.inputs.shape[1:]) == source.spec.shape == facts["shape"]
    assert len(source.classes) == facts["classes"]
    assert (source.classes[0], source.classes[-1]) == (first, last)
    assert torch.bincount(source.train.targets).tolist() == [50_000 // facts["classes"]] * facts["classes"]
    assert torch.bincount(test.targets).tolist() == [10_000 // facts["classes"]] * facts["classes"]


def test_cifar10_has_the_mean_and_deviation_known_to_everyone(data_root: Path) -> None:
    from cgl_ignite.data import measure_normaliser

    measured = measure_normaliser(cifar.cifar10(data_root).train.inputs)
    torch.testing.assert_close(measured.mean, torch.tensor([0.4914, 0.4822, 0.4465]), atol=1e-4, rtol=0)
    torch.testing.assert_close(measured.std, torch.tensor([0.2470, 0.2435, 0.2616]), atol=1e-4, rtol=0)
