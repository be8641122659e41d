"""How a folder of images is laid out: its parts, its classes, and the files of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from cgl_ignite.data.base import class_counts
from cgl_ignite.data.images.files import ENDINGS, SkippedFiles, contents, images_below, printable
from cgl_ignite.data.part_names import PART_NAMES, Part
from cgl_ignite.errors import InputError, choices, nearest

__all__ = ["Files", "FolderLayout", "ImageFile", "find_layout"]


class ImageFile(NamedTuple):
    """A file, the number of its class, and how much it counts in the loss with its label."""

    path: Path
    target: int
    weight: float = 1.0


Files: TypeAlias = "list[ImageFile]"


@dataclass(frozen=True)
class FolderLayout:
    """The image files of a folder by part, each with the number of its class.

    Attributes:
        classes: the names of the class folders of the training part, sorted.
        folders: the folder of each part; of a folder that is not divided, itself as ``train``.
        files: of each part.
        notes: what was found and is not read.
        tables: the files that list the images, if there are some; they are then the ``folders``.
        label_sets: where images have several labels, which classes are in each set of labels, bool (sets, classes);
            the numbers in ``files`` are those of these sets.
        weighted: whether a table tells the weights of the training images.
    """

    classes: tuple[str, ...]
    folders: Mapping[Part, Path]
    files: Mapping[Part, Files]
    notes: tuple[str, ...]
    tables: tuple[Path, ...] = ()
    label_sets: Tensor | None = None
    weighted: bool = False

    def classes_of(self, files: Files) -> set[int]:
        """Return the classes that some files have."""
        targets = torch.tensor([file.target for file in files], dtype=torch.int64)
        return {*class_counts(targets, len(self.classes), self.label_sets).nonzero().flatten().tolist()}


def find_layout(folder: Path) -> FolderLayout:
    """List the image files of a folder that holds a folder per class, or parts that do.

    The folder is divided into parts if there is a folder ``train`` or ``training`` in it that holds folders and no
    image. The other parts are ``test`` or ``testing``, and ``val``, ``valid``, ``validation`` or ``dev``, in capitals
    or small letters. Otherwise every folder is a class, whatever its name.

    Raises:
        InputError: a folder that is missing or laid out otherwise, two folders for one part, a class without
            images, a class that the training part does not have, a class name that is not UTF-8.
    """
    if not folder.is_dir():
        raise InputError(f"data.path: there is no folder {printable(folder.absolute())}\n{_expected(folder)}")
    skipped = SkippedFiles()
    children = _folders(folder, skipped)
    folders = _part_folders(folder, children)
    ignored = [child.name for child in children if folders and child not in folders.values()]
    inside = {part: _folders(place, skipped) for part, place in folders.items()} or {"train": children}
    folders = folders or {"train": folder}
    classes = _classes(folders["train"], inside["train"])
    files = {part: _files(place, inside[part], classes, skipped) for part, place in folders.items()}
    notes = [f"folders that are no part are not read: {', '.join(map(printable, ignored))}"] if ignored else []
    return FolderLayout(classes, folders, files, (*notes, *skipped.notes()))


def _folders(place: Path, skipped: SkippedFiles) -> list[Path]:
    folders, images = contents(place, skipped)
    skipped.loose.extend(images)
    return folders


def _part_folders(folder: Path, children: Sequence[Path]) -> dict[Part, Path]:
    """Find the folder of each part; there is none if the folder is not divided."""
    named: dict[Part, list[Path]] = {}
    for child in children:
        if part := PART_NAMES.get(child.name.lower()):
            named.setdefault(part, []).append(child)
    if not any(map(_holds_folders_only, named.get("train", ()))):
        _check_classes(folder, children, named)
        return {}
    for found in named.values():
        if len(found) > 1:
            raise InputError(f"data.path: {found[0]} and {found[1].name} are the same part; leave one of them")
    if len(named) == 1 and (others := [child.name for child in children if child not in named["train"]]):
        raise InputError(
            f"{named['train'][0]} holds folders, but there is neither a test nor a validation part beside it, "
            f"only {choices(map(printable, others))}\n{_expected(folder)}"
        )
    return {part: found[0] for part, found in named.items()}


def _check_classes(folder: Path, children: Sequence[Path], named: Mapping[Part, Sequence[Path]]) -> None:
    """Refuse parts that would become classes: without a training part, or with images beside its class folders."""
    others = [child for part, found in named.items() if part != "train" for child in found]
    if not others or not all(map(_holds_folders_only, others)):
        return
    if mixed := [child for child in named.get("train", ()) if contents(child, SkippedFiles())[0]]:
        raise InputError(f"{mixed[0]} holds images beside its class folders; move them into one of these")
    if len(others) == len(children):
        names = " and ".join(child.name for child in others)
        raise InputError(f"{folder} holds {names}, but no folder train\n{_expected(folder)}")


def _holds_folders_only(place: Path) -> bool:
    folders, images = contents(place, SkippedFiles())
    return bool(folders) and not images


def _classes(place: Path, folders: Sequence[Path]) -> tuple[str, ...]:
    if len(folders) < 2:
        found = f"{len(folders)} class folder{'' if len(folders) == 1 else 's'}"
        raise InputError(f"{place} holds {found}, at least 2 are needed\n{_expected(place)}")
    return tuple(sorted(child.name for child in folders))


def _files(place: Path, folders: Sequence[Path], classes: Sequence[str], skipped: SkippedFiles) -> Files:
    """List the image files of one part in order of class, folder and name."""
    if not folders:
        raise InputError(f"{place} holds no class folder\n{_expected(place.parent)}")
    for child in folders:
        if printable(child.name) != child.name:
            raise InputError(f"{printable(child)}: the name of this class is not UTF-8; rename the folder")
    if unknown := [child for child in folders if child.name not in classes]:
        names = choices(child.name for child in unknown)
        fault = f"class {names} is" if len(unknown) == 1 else f"the classes {names} are"
        hint = nearest(unknown[0].name, classes)
        raise InputError(f"{unknown[0]}: {fault} not in the training part, which holds {choices(classes)}{hint}")
    found: Files = []
    for child in folders:
        images = images_below(child, skipped)
        if not images:
            raise InputError(f"{child} holds no image ({', '.join(ENDINGS)})")
        found += [ImageFile(path, classes.index(child.name)) for path in images]
    return found


def _expected(folder: Path) -> str:
    name = printable(folder.name) or "images"
    return (
        "expected a folder per class, in one of two layouts:\n"
        f"  {name}/train/daisy/001.jpg     {name}/daisy/001.jpg\n"
        f"  {name}/train/rose/001.png      {name}/rose/001.png\n"
        f"  {name}/test/daisy/002.jpg      (data.test_fraction of each class becomes the test set)\n"
        f"  {name}/test/rose/002.png"
    )
