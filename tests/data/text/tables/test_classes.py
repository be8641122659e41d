from __future__ import annotations

from pathlib import Path

import pytest

from cgl_ignite.data import DataSource, local_text
from cgl_ignite.data.encoding import corpus_of
from cgl_ignite.data.text.cache.store import read_targets
from cgl_ignite.errors import InputError


def source(
    tmp_path: Path, labels: str, test: str = "", lines: str = "", classes: list[str] | None = None
) -> DataSource:
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    for part, held in (("train", labels), ("test", test or labels)):
        (folder / f"{part}.csv").write_text("".join(f"{label},some text\n" for label in held.split()))
    (folder / "classes.txt").write_text("\n".join(lines.split())) if lines else None
    return local_text(tmp_path, path=str(folder), classes=classes)


def names(read: DataSource) -> list[str]:
    return [read.classes[target] for target in read_targets(corpus_of(read.train)).tolist()]


@pytest.mark.parametrize(
    ("labels", "test", "expected", "first"),
    [
        ("0 1 2 0", "", "red green blue red", 0),
        ("1 2 3 1", "", "red green blue red", 1),
        ("1 2 1 2", "", "red green red green", 1),
        ("1 2 1 2", "0 1 2", "green blue green blue", 0),
        ("0 0 2 2", "", "red red blue blue", 0),
    ],
)
@pytest.mark.parametrize("given", [False, True])
def test_numbers_count_from_0_if_a_0_occurs_else_from_1(
    tmp_path: Path, labels: str, test: str, expected: str, first: int, given: bool
) -> None:
    listed = "red green blue"
    read = source(tmp_path, labels, test, "" if given else listed, listed.split() if given else None)
    assert read.classes == ("red", "green", "blue")
    assert names(read) == expected.split()
    where = "data.classes" if given else "classes.txt"
    assert f"{where} names the classes, counted from {first}: {first} is 'red', " in "\n".join(read.notes)


@pytest.mark.parametrize(
    ("labels", "classes", "reason"),
    [
        ("a b a b", ("a", "b"), "the labels are names, not numbers"),
        ("0 3 0 3", ("0", "3"), "it has 3 lines, and the labels are 0 to 3"),
        ("1 4 4 1", ("1", "4"), "it has 3 lines, and the labels are 1 to 4"),
    ],
)
def test_a_list_that_does_not_fit_is_not_used_and_the_reason_told(
    tmp_path: Path, labels: str, classes: tuple[str, ...], reason: str
) -> None:
    read = source(tmp_path, labels, lines="red green blue")
    assert read.classes == classes
    assert read.notes[-1] == f"classes.txt is not used, as {reason}"


def test_given_names_come_before_listed_ones(tmp_path: Path) -> None:
    read = source(tmp_path, "a b a b", lines="red green", classes=["b", "a"])
    assert (read.classes, read.notes[-1]) == (("b", "a"), "classes.txt is not used, as data.classes is given")


def test_a_number_beyond_the_names_is_a_fault_with_its_row(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train.csv, row 3: the class '3' is not '0', '1' or '2'"):
        source(tmp_path, "0 1 3", classes=["red", "green", "blue"])
    with pytest.raises(InputError, match=r"test.csv, row 2: the class '3' is not '0', '1' or '2'"):
        source(tmp_path, "0 1 2", "0 3", lines="red green blue")


@pytest.mark.parametrize("label", ["NaN", "nan", "<NA>", "#N/A"])
def test_a_missing_value_is_no_class_unless_it_is_listed(tmp_path: Path, label: str) -> None:
    labels = f"a b {label} a b {label}"
    with pytest.raises(InputError, match=rf"train\.csv, row 3: 2 rows have the class '{label}'.*data\.classes"):
        source(tmp_path, labels)
    assert source(tmp_path, labels, classes=["a", "b", label]).classes == ("a", "b", label)


def test_what_may_be_a_missing_value_is_asked(tmp_path: Path) -> None:
    read = source(tmp_path, "a b none a b", test="a b")
    assert read.classes == ("a", "b", "none")
    assert read.notes[-1] == "train.csv: 1 row has the class 'none', first in row 3: a missing value?"
