from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from cgl_ignite.data import DataSource, local_images
from cgl_ignite.data.images.look import look_at_images
from cgl_ignite.data.stored import loaded
from cgl_ignite.errors import InputError
from tests.data.images.paint import BLUE, RED, paint

NOWHERE = Path("/nowhere")
Rows = list[dict[str, Any]]


def photos(folder: Path, count: int = 20) -> Rows:
    """Write photos in one folder, every fourth of them of a rose, and return a row for each."""
    rows = []
    for number in range(count):
        rose = number % 4 == 0
        paint(folder / f"{number}.png", RED if rose else BLUE)
        rows.append({"file_name": f"{number}.png", "species": "rose" if rose else "violet"})
    return rows


def write(rows: Rows, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text("\n".join(",".join(map(str, row)) for row in ([*rows[0]], *(row.values() for row in rows))))
    return path


def colours(source: DataSource, part: str = "train") -> list[tuple[str, list[int]]]:
    examples = source.train if part == "train" else source.test()
    return [
        (source.classes[target], image[:, 0, 0].tolist())
        for image, target in zip(examples.inputs, examples.targets.tolist(), strict=True)
    ]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_table_lists_the_images(tmp_path: Path, ending: str) -> None:
    rows = photos(tmp_path / "photos")
    write(rows, tmp_path / "photos" / f"labels.{ending}")
    options = {"path": str(tmp_path / "photos"), "table": f"labels.{ending}", "label": "species"}
    source = local_images(NOWHERE, **options)
    assert source.classes == ("rose", "violet")
    known = {"rose": list(RED), "violet": list(BLUE)}
    assert all(colour == known[name] for part in ("train", "test") for name, colour in colours(source, part))
    assert (len(source.train), len(source.test())) == (16, 4)
    assert any("label = column 2 (species), image = column 1 (file_name)" in note for note in source.notes)
    look = look_at_images({**options, "test_fraction": 0.2}, files=True)
    assert (look.train, look.test, look.classes, look.shape) == (16, 4, 2, (3, 4, 4))
    outside = write(rows, tmp_path / f"outside.{ending}")
    assert colours(local_images(NOWHERE, **{**options, "table": str(outside)})) == colours(source)


def test_a_column_tells_the_parts(tmp_path: Path) -> None:
    rows = photos(tmp_path)
    parts = ["train", "train", "val", "test", "train"]
    write([{**row, "split": parts[n % 5]} for n, row in enumerate(rows)], tmp_path / "labels.csv")
    source = local_images(NOWHERE, path=str(tmp_path), table="labels.csv", label="species")
    assert (len(source.train), len(source.test())) == (12, 4)
    assert source.holdout is not None
    assert len(source.holdout()) == 4
    assert [name for name, _ in colours(source, "test")] == [rows[n]["species"] for n in range(3, 20, 5)]


def test_metadata_files_of_the_parts_are_found(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("test", 4)):
        rows = [{"file_name": row["file_name"], "label": row["species"]} for row in photos(tmp_path / part, count)]
        write(rows, tmp_path / part / "metadata.jsonl")
    source = local_images(NOWHERE, path=str(tmp_path))
    assert [name for name, _ in colours(source)] == ["rose", "violet", "violet", "violet"] * 2
    assert (len(source.train), len(source.test())) == (8, 4)
    assert {fact.split(":")[0] for fact in source.digest} == {"images", "train/metadata.jsonl", "test/metadata.jsonl"}


def test_metadata_without_labels_does_not_hide_the_class_folders(tmp_path: Path) -> None:
    for name, colour in (("rose", RED), ("violet", BLUE)):
        for number in range(5):
            paint(tmp_path / name / f"{number}.png", colour)
    write([{"file_name": "rose/0.png", "taken": "yesterday"}], tmp_path / "metadata.csv")
    source = local_images(NOWHERE, path=str(tmp_path))
    assert source.classes == ("rose", "violet")
    assert any(note.startswith("metadata.csv is not read, as no column") for note in source.notes)


def test_a_changed_label_changes_the_digest(tmp_path: Path) -> None:
    rows = photos(tmp_path)
    options = {"path": str(tmp_path), "table": "labels.csv", "label": "species"}
    write(rows, tmp_path / "labels.csv")
    before = local_images(NOWHERE, **options).digest
    write([{**rows[0], "species": "violet"}, *rows[1:]], tmp_path / "labels.csv")
    assert local_images(NOWHERE, **options).digest != before


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"file_name": "gone.png"}, {}, r"labels\.csv, row 4: there is no image .*gone\.png"),
        ({"file_name": ""}, {}, r"labels\.csv, row 4: column 1 \(file_name\) is empty, it should name an image"),
        ({"species": ""}, {}, r"labels\.csv, row 4: the column of the class is empty"),
        ({}, {"image": "files"}, r"data\.image = 'files' is not in the header of .*labels\.csv"),
        ({}, {"table": "label.csv"}, r"data\.table = 'label\.csv': there is no such file"),
        ({}, {"table": None}, r"data\.label names a column of a table, but there is none: data\.table names it"),
        ({}, {"split": "species"}, r"labels\.csv has column 2 \(species\) as the label already"),
    ],
)
def test_faults_name_row_and_file(
    tmp_path: Path, change: dict[str, str], options: dict[str, Any], message: str
) -> None:
    rows = photos(tmp_path)
    write([*rows[:2], {**rows[2], **change}, *rows[3:]], tmp_path / "labels.csv")
    with pytest.raises(InputError, match=message):
        local_images(NOWHERE, **{"path": str(tmp_path), "table": "labels.csv", "label": "species", **options})


def test_missing_images_can_be_left_out(tmp_path: Path) -> None:
    rows = photos(tmp_path)
    (tmp_path / "1.png").unlink()
    (tmp_path / "2.png").unlink()
    write(rows, tmp_path / "labels.csv")
    options = {"path": str(tmp_path), "table": "labels.csv", "label": "species"}
    with pytest.raises(InputError, match=r"row 3: .*1\.png\n.*row 4: .*2\.png\ndata\.skip_bad"):
        local_images(NOWHERE, **options)
    source = local_images(NOWHERE, **options, skip_bad=True)
    assert len(source.train) + len(source.test()) == 18


def test_a_table_without_a_usual_name_of_images(tmp_path: Path) -> None:
    rows = [{"which": row["file_name"], "label": row["species"]} for row in photos(tmp_path)]
    write(rows, tmp_path / "labels.csv")
    with pytest.raises(InputError, match=r"data\.image names the column"):
        local_images(NOWHERE, path=str(tmp_path), table="labels.csv")
    assert local_images(NOWHERE, path=str(tmp_path), table="labels.csv", image="which").classes == ("rose", "violet")


def weighted_photos(folder: Path) -> dict[str, Any]:
    """Photos with the weights 0 to 19, the last of them twice with weights of its own, and a table of them."""
    rows = [row | {"trust": number} for number, row in enumerate(photos(folder))]
    write([*rows, {**rows[-1], "trust": 90}], folder / "labels.csv")
    return {"path": str(folder), "table": "labels.csv", "label": "species", "weight": "trust"}


@pytest.mark.parametrize("store", ["memory", "disk"])
def test_weights_go_with_their_images(tmp_path: Path, store: str) -> None:
    """A photo that cannot be read and the test set take rows away; the others keep their weights."""
    options = weighted_photos(tmp_path / "photos")
    for number in range(20):
        paint(tmp_path / "photos" / f"{number}.png", (number, 0, 0))
    (tmp_path / "photos" / "5.png").write_bytes(b"no image")
    source = local_images(tmp_path, **options, store=store, skip_bad=True)
    weights = source.train.weights
    assert weights is not None
    found = list(zip(loaded(source.train.inputs)[:, 0, 0, 0].tolist(), weights.tolist(), strict=True))
    judged = loaded(source.test().inputs)[:, 0, 0, 0].tolist()
    expected = [(number, number) for number in range(20) if number != 5] + [(19, 90)]
    assert {*found} <= {*expected}
    assert sorted([number for number, _ in found] + judged) == sorted(number for number, _ in expected)
    assert source.test().weights is None
    assert any("weight = column 3 (trust), from 0 to 90" in note for note in source.notes)


def test_weights_of_images_that_stand_in_no_table(tmp_path: Path) -> None:
    for name in ("a/1.png", "b/1.png"):
        paint(tmp_path / name, RED)
    with pytest.raises(InputError, match=r"data\.weight names a column of a table, but there is none"):
        local_images(NOWHERE, path=str(tmp_path), weight="trust")


def test_a_weight_that_is_none(tmp_path: Path) -> None:
    options = weighted_photos(tmp_path / "photos")
    table = tmp_path / "photos" / "labels.csv"
    table.write_text(table.read_text().replace(",12", ",-12"))
    with pytest.raises(InputError, match=r"labels\.csv, row 14: the weight '-12' is below 0; column 3 \(trust\)"):
        local_images(NOWHERE, **options)
