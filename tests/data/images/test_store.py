from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cgl_ignite.data import Examples, local_images, prepare
from cgl_ignite.data.batches import Batches, evaluation_batches
from cgl_ignite.data.images import decode as decoding
from cgl_ignite.data.images import store as stores
from cgl_ignite.data.images.decode import Decoding
from cgl_ignite.data.report import describe_data
from cgl_ignite.data.room import memory_left
from cgl_ignite.data.stored import StoredImages, loaded
from cgl_ignite.data.subsets import SUBSETS
from cgl_ignite.errors import InputError
from tests.data.images.paint import paint


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Noise of several sizes, in two classes."""
    draw = np.random.default_rng(0)
    folder = tmp_path / "photos"
    for number in range(30):
        place = folder / ("rose" if number % 3 else "violet") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 256, (8 + number % 3, 12, 3), np.uint8)).save(place)
    return folder


def batches_of(examples: Examples, normaliser: Any) -> list[torch.Tensor]:
    subsets = SUBSETS.get("whole")(examples.targets, 1, 1)
    batches = Batches(
        examples, subsets, batch_size=4, seed=1, classes=2, normaliser=normaliser, device=torch.device("cpu")
    )
    stream = batches.stream(3)
    return [next(stream).inputs for _ in range(9)]


@pytest.mark.parametrize("resize", ["crop", "fit", "pad"])
def test_stored_images_are_those_in_memory(photos: Path, tmp_path: Path, resize: str) -> None:
    options = {"path": str(photos), "size": (6, 8), "resize": resize}
    resident, stored = (local_images(tmp_path / "root", **options, store=store) for store in ("memory", "disk"))
    assert isinstance(stored.train, Examples)
    assert isinstance(stored.train.inputs, StoredImages)
    assert stored.train.inputs.load().equal(resident.train.inputs)
    assert stored.test().inputs.load().equal(resident.test().inputs)
    assert stored.spec == resident.spec
    assert stored.digest == resident.digest
    one, other = (prepare(source, holdout=5, limit=None, seed=1) for source in (resident, stored))
    assert one.normaliser.mean.equal(other.normaliser.mean)
    assert one.normaliser.std.equal(other.normaliser.std)
    assert all(map(torch.equal, batches_of(one.train, one.normaliser), batches_of(other.train, other.normaliser)))
    pairs = zip(
        evaluation_batches(one.holdout, one.normaliser, 2, "cpu"),
        evaluation_batches(other.holdout, other.normaliser, 2, "cpu"),
        strict=True,
    )
    assert all(a.inputs.equal(b.inputs) and a.targets.equal(b.targets) for a, b in pairs)
    assert describe_data(one).parts == describe_data(other).parts


def test_images_are_decoded_once(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"path": str(photos), "size": 6, "store": "disk"}
    first = local_images(tmp_path / "root", **options)
    monkeypatch.setattr(stores, "decode_in_order", None)
    again = local_images(tmp_path / "root", **options)
    assert again.train.inputs.load().equal(first.train.inputs.load())
    with pytest.raises(TypeError):
        local_images(tmp_path / "root", **{**options, "size": 7})
    with pytest.raises(TypeError):
        local_images(tmp_path / "root", **options, resize="pad")
    paint(photos / "rose" / "1.png", size=(5, 5))
    with pytest.raises(TypeError):
        local_images(tmp_path / "root", **options)


def test_what_does_not_fit_is_stored(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"path": str(photos), "size": 10}
    needed = 3 * 30 * 3 * 10 * 10
    monkeypatch.setattr(stores, "memory_left", lambda: int(needed / 0.8) + 2)
    source = local_images(tmp_path / "root", **options)
    assert isinstance(source.train.inputs, torch.Tensor)
    monkeypatch.setattr(stores, "memory_left", lambda: int(needed / 0.8) - 2)
    source = local_images(tmp_path / "root", **options)
    assert isinstance(source.train.inputs, StoredImages)
    assert any("30 images of 10 x 10" in note and "read from disk (data.store)" in note for note in source.notes)


def test_grey_images_stay_grey(tmp_path: Path) -> None:
    for number in range(10):
        paint(tmp_path / "photos" / "ab"[number % 2] / f"{number}.png", 20 * number)
    options = {"path": str(tmp_path / "photos")}
    resident, stored = (local_images(tmp_path / "root", **options, store=store) for store in ("memory", "disk"))
    assert stored.spec.shape == (1, 4, 4)
    assert stored.train.inputs.load().equal(resident.train.inputs)


def test_unreadable_images(photos: Path, tmp_path: Path) -> None:
    (photos / "rose" / "1.png").write_bytes(b"no image")
    options = {"path": str(photos), "size": 6, "store": "disk"}
    with pytest.raises(InputError, match=r"1\.png cannot be read.*\ndata\.skip_bad"):
        local_images(tmp_path / "root", **options)
    assert not list((tmp_path / "root").rglob("pixels.bin"))
    source = local_images(tmp_path / "root", **options, skip_bad=True)
    resident = local_images(tmp_path / "root", **{**options, "store": "memory"}, skip_bad=True)
    assert source.train.inputs.load().equal(resident.train.inputs)
    assert any("1 image is left out (data.skip_bad)" in note for note in source.notes)


def test_images_of_different_sizes_need_a_size(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"set data\.size to bring all images to one size"):
        local_images(tmp_path / "root", path=str(photos), store="disk")


def test_a_file_that_was_cut_off(photos: Path, tmp_path: Path) -> None:
    source = local_images(tmp_path / "root", path=str(photos), size=6, store="disk")
    (pixels,) = (tmp_path / "root").rglob("pixels.bin")
    pixels.write_bytes(pixels.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"pixels\.bin is cut off"):
        source.train.inputs.load(), source.test().inputs.load()


def test_padding_takes_the_background(tmp_path: Path) -> None:
    for number, name in enumerate("aabb"):
        paint(tmp_path / "photos" / name / f"{number}.png", (0, 0, 255), size=(4, 2))
    options = {"path": str(tmp_path / "photos"), "size": 4, "resize": "pad", "background": "#010203"}
    (image, *_) = local_images(tmp_path, **options, test_fraction=0.5).train.inputs
    assert image[:, 0, 0].tolist() == image[:, 3, 3].tolist() == [1, 2, 3]
    assert image[:, 1, 0].tolist() == image[:, 2, 3].tolist() == [0, 0, 255]


@pytest.mark.parametrize(
    ("line", "files", "folder"),
    [
        ("0::/job\n", ("memory.max", "memory.current", "inactive_file"), "job"),
        ("3:cpu:/x\n7:memory:/job\n", ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"), None),
    ],
)
def test_a_control_group_limits_the_memory(
    tmp_path: Path, line: str, files: tuple[str, str, str], folder: str | None
) -> None:
    place = tmp_path / (folder or "memory/job")
    place.mkdir(parents=True)
    (tmp_path / "cgroup").write_text(line)
    (place / "memory.stat").write_text(f"anon 3\n{files[2]} 200\n")
    (place / files[0]).write_text("1500\n")
    (place / files[1]).write_text("1000\n")
    assert memory_left(tmp_path, tmp_path / "cgroup") == 700
    (place / files[0]).write_text("max\n")
    assert memory_left(tmp_path, tmp_path / "cgroup") > 2**20
    assert memory_left(tmp_path, tmp_path / "nowhere") > 2**20


@pytest.mark.parametrize("store", ["memory", "disk"])
@pytest.mark.parametrize("workers", [1, 2, 7])
def test_any_number_of_workers_decodes_the_same(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, store: str
) -> None:
    """The first images take longest, two are no images, and more wait than may be decoded ahead."""
    for name in ("rose/1.png", "violet/3.png"):
        (photos / name).write_bytes(b"no image")
    read, first = decoding.read_image, []

    def slowly(path: Path, *options: Any) -> Any:
        first.append(path)
        time.sleep(0.02 if len(first) < 4 else 0)
        return read(path, *options)

    options = {"path": str(photos), "size": 6, "skip_bad": True, "store": store}
    expected = local_images(tmp_path / "one", **options)
    monkeypatch.setattr(decoding, "read_image", slowly)
    monkeypatch.setattr(decoding, "AHEAD", 3)
    found = local_images(tmp_path / "many", **options, workers=workers)
    assert len(first) == 30
    for part, other in ((found.train, expected.train), (found.test(), expected.test())):
        assert loaded(part.inputs).equal(loaded(other.inputs))
        assert part.targets.equal(other.targets)
    assert [note for note in found.notes if "left out" in note] == [
        note for note in expected.notes if "left out" in note
    ]
    if store == "disk":
        one, many = ((next((tmp_path / name).rglob("pixels.bin"))).read_bytes() for name in ("one", "many"))
        assert one == many


def test_threads_decode_no_more_than_may_wait(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes one image finds that and five more decoded at most."""
    started: list[Path] = []
    monkeypatch.setattr(decoding, "AHEAD", 5)
    monkeypatch.setattr(decoding, "_attempt", lambda path, how: started.append(path) or path)
    files = sorted(photos.rglob("*.png"))
    images = decoding.decode_in_order(files, Decoding(), 2)
    assert next(images) == files[0]
    time.sleep(0.05)
    assert len(started) <= 6
    assert [*images] == files[1:]


def test_a_decoding_that_is_stopped_leaves_nothing(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any) -> Any:
        raise KeyboardInterrupt

    options = {"path": str(photos), "size": 6, "store": "disk"}
    with monkeypatch.context() as patched:
        patched.setattr(stores, "_pixels", stop)
        with pytest.raises(KeyboardInterrupt):
            local_images(tmp_path / "root", **options)
    assert not [place for place in (tmp_path / "root").rglob("*") if place.suffix != ".lock" and place.is_file()]
    assert len(local_images(tmp_path / "root", **options).train) == 24
