"""The user's own images: one folder per class, everything else found out from the files."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import torch
from pydantic import Field

from cgl_ignite.data.base import DATASETS, DataSource, Examples, InputSpec
from cgl_ignite.data.digest import content_digest, listing_digest
from cgl_ignite.data.images.decode import BACKGROUND, Decoding, Resize, check_background
from cgl_ignite.data.images.files import printable
from cgl_ignite.data.images.folders import Files, FolderLayout
from cgl_ignite.data.images.look import TEST_FRACTION, height_and_width, look_at_images, rows_of_test
from cgl_ignite.data.images.pixels import Pixels, read_pixels
from cgl_ignite.data.images.tables import ImageColumns, find_images
from cgl_ignite.data.part_names import Part
from cgl_ignite.data.separator import LabelTask, Separator, label_separator_of
from cgl_ignite.data.splits import choose_stratified
from cgl_ignite.errors import InputError, Unreadable
from cgl_ignite.seeding import stream

__all__ = ["local_images"]

Side: TypeAlias = Annotated[int, Field(ge=1)]
_DARK = 2**12


@DATASETS.register(
    "local_images",
    title="Your own images",
    modality="image",
    shape=None,
    classes=None,
    rows=None,
    own_holdout=True,
    stratified=True,
    files=None,
    where="the folder data.path",
    look=look_at_images,
)
def local_images(
    root: Path,
    *,
    path: str,
    size: Side | tuple[Side, Side] | None = None,
    resize: Resize = "crop",
    background: str = BACKGROUND,
    test_fraction: Annotated[float, Field(gt=0, lt=1)] = TEST_FRACTION,
    skip_bad: bool = False,
    table: str | None = None,
    image: int | str | None = None,
    label: int | str | None = None,
    split: int | str | Literal[False] | None = None,
    store: Literal["memory", "disk"] | None = None,
    task: LabelTask = "single_label",
    label_separator: Separator | None = None,
    weight: int | str | None = None,
    workers: Annotated[int, Field(ge=1, le=64)] | None = None,
) -> DataSource:
    """Read a folder of images, ``<path>/<class>/*``, or divided into ``<path>/{train,val,test}/<class>/*``.

    It is divided if there is a folder ``train`` or ``training`` in it that holds folders and no image. Then ``test`` or
    ``testing`` is the test set, and ``val``, ``valid``, ``validation`` or ``dev`` is the holdout, in capitals or small
    letters; either may be missing. Otherwise every folder is a class, whatever its name. All images are decoded here.
    They are grey if all training images are, else of three colours.

    Args:
        root: where decoded images are kept that do not fit into memory; a relative path starts at the current folder.
        path: the folder.
        size: bring all images to squares of this size, or to this height and width; without it they must be of
            one size.
        resize: how: ``crop`` scales and crops them, ``pad`` scales and pads them with the background, ``fit`` scales
            height and width by factors of their own.
        background: the colour of transparent pixels, by a name or as ``#rrggbb``.
        test_fraction: the share of all images, or of ``train``, that becomes the test set, the same in every run; not
            used where there is a folder ``test``. With 1 all images are training and test set at once.
        skip_bad: whether images that cannot be read are left out instead of being an error.
        table: a table that lists the images, in any form of :func:`local_text`, in the folder or the current one; by
            default ``metadata.csv``, ``.jsonl`` or ``.parquet`` in the folder or its parts, if it names the labels.
        image: the table's column of paths, which start at the folder; by default one with a usual name.
        label: the table's column of the class.
        split: the table's column that tells the part of each row, as that of :func:`local_text`.
        store: whether decoded images are kept in memory or in a file; by default in memory, if they fit.
        task: ``multi_label`` if an image may have several labels, or none, as in :func:`local_text`; they stand in a
            table.
        label_separator: what separates the labels of an image; ``";"`` if it is left out.
        workers: how many threads decode; by default as many as there are cores. It changes no pixel.
        weight: the table's column that tells how much a training image counts, as that of :func:`local_text`.

    Raises:
        InputError: a folder that is missing or laid out otherwise, a class without images, images that cannot be
            read, all of them together, images of different sizes, or an unknown colour.
    """
    decoding = _decoding(size, background, resize)
    folder, separator = Path(path).expanduser(), label_separator_of(task, label_separator)
    columns = ImageColumns(table, image, label, split, separator, weight, weighs=test_fraction < 1)
    layout = find_images(folder, columns, skip_bad=skip_bad)
    pixels = read_pixels(root, layout, decoding, store, skip_bad=skip_bad, workers=workers)
    parts = _readable(layout, pixels.good)
    notes = [*layout.notes, *_notes(layout, pixels.bad), *_changes(pixels, background), *pixels.notes]
    notes += _cut_test(layout, parts, test_fraction)
    examples = pixels.examples(parts)
    train = _weighted(examples["train"], parts["train"]) if layout.weighted else examples["train"]
    holdout, test = examples.get("holdout"), examples.get("test", train)
    return DataSource(
        train,
        lambda: test,
        layout.classes,
        InputSpec("image", tuple(train.dense.shape[1:])),
        holdout=None if holdout is None else lambda: holdout,
        notes=tuple(notes),
        label_sets=layout.label_sets,
        digest=_digest(folder, layout),
    )


def _decoding(size: Side | tuple[Side, Side] | None, background: str, resize: Resize) -> Decoding:
    check_background(background)
    sides = height_and_width(size)
    return Decoding(None if sides is None else (sides[1], sides[0]), background, resize)


def _weighted(examples: Examples, files: Files) -> Examples:
    return replace(examples, weights=torch.tensor([file.weight for file in files], dtype=torch.float64))


def _digest(folder: Path, layout: FolderLayout) -> dict[str, str]:
    listed_files = {file.path for files in layout.files.values() for file in files}
    digest = listing_digest("images", folder, filter(Path.is_file, listed_files))
    for table in layout.tables:
        digest |= content_digest(table.name if len(layout.tables) == 1 else f"{table.parent.name}/{table.name}", table)
    return digest


def _readable(layout: FolderLayout, good: Collection[Path]) -> dict[Part, Files]:
    """Keep the files of each part that could be decoded, of each class at least one."""
    parts: dict[Part, Files] = {}
    for part, files in layout.files.items():
        parts[part] = [file for file in files if file.path in good]
        if empty := layout.classes_of(files) - layout.classes_of(parts[part]):
            place = layout.folders[part] / layout.classes[min(empty)]
            raise InputError(f"{place}: no image of this class is left by data.skip_bad")
    return parts


def _notes(layout: FolderLayout, bad: Sequence[Unreadable]) -> Iterator[str]:
    if bad:
        subject = "1 image is" if len(bad) == 1 else f"{len(bad)} images are"
        yield f"{subject} left out (data.skip_bad), the first: {bad[0]}"
    if "holdout" in layout.folders:
        yield f"the holdout is the validation part, {printable(layout.folders['holdout'])}"


def _changes(pixels: Pixels, background: str) -> Iterator[str]:
    """Say how many images have other pixels than their files."""
    if count := pixels.transparent:
        yield f"transparent pixels of {_images(count)} become {background} (data.background)"
    if deep := pixels.deep:
        way = f"of {_images(len(deep))} with 16 bits per channel the upper 8 bits are read"
        dark = max(deep) < _DARK
        yield f"{way}; they are nearly black, as no value exceeds {max(deep):,} of 65,535: scale them" if dark else way


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _cut_test(layout: FolderLayout, parts: dict[Part, Files], test_fraction: float) -> list[str]:
    """Move a test set out of the training part if there is none, with every class keeping its share, and say so."""
    if "test" in parts or test_fraction == 1:
        return []
    files = parts["train"]
    targets = torch.tensor([file.target for file in files])
    rows = rows_of_test(len(files), test_fraction)
    chosen = set(choose_stratified(targets, rows, stream(0, "local_images test")).tolist())
    parts["train"] = [file for row, file in enumerate(files) if row not in chosen]
    parts["test"] = [files[row] for row in sorted(chosen)]
    place = layout.folders["train"]
    if missing := layout.classes_of(files) - layout.classes_of(parts["train"]):
        raise InputError(
            f"{place / layout.classes[min(missing)]} has too few images to train and test: "
            f"none is left to learn from after data.test_fraction = {test_fraction:g}"
        )
    return [f"there is no test part: {rows:,} of {len(files):,} images of {printable(place)} are the test set"]
