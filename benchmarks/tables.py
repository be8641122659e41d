"""How fast is the same table read and encoded as CSV, Parquet, JSON Lines and Arrow, and are the token ids equal?

Each form is read and encoded as characters into an empty cache by a process of its own, the forms in turns.

    python benchmarks/tables.py --rows 200000
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import torch
from pyarrow import csv, parquet

from cgl_ignite.bench.figures import facts, peak_mib, summary
from cgl_ignite.data import Ragged, characters, prepare
from cgl_ignite.data.text.datasets.local import local_text

FORMS = ("csv", "parquet", "jsonl", "arrow")
BLOCK = 10_000
CLASSES = ("billing", "bug", "feature", "other", "refund")


def blocks(rows: int) -> Iterator[pa.Table]:
    """Make up tickets of 10 to 110 words, with quotes, commas and line breaks among them."""
    draw = random.Random(0)
    words = ["".join(draw.choices("etaoinshrdlcumwfgypbvkjxqz", k=draw.randint(1, 9))) for _ in range(5000)]
    words += ['"good"', "café", "10%,", "Well.\n"] * 100
    for first in range(0, rows, BLOCK):
        numbers = range(first, min(rows, first + BLOCK))
        bodies = [" ".join(draw.choices(words, k=draw.randint(10, 110))) for _ in numbers]
        topics = [CLASSES[number % len(CLASSES)] for number in numbers]
        yield pa.table(
            {"id": list(numbers), "topic": topics, "title": [f"Ticket {n}" for n in numbers], "body": bodies}
        )


def write(rows: int, folder: Path) -> None:
    """Write the same rows in every form."""
    schema = next(blocks(1)).schema
    with (
        csv.CSVWriter(folder / "tickets.csv", schema) as as_csv,
        parquet.ParquetWriter(folder / "tickets.parquet", schema) as as_parquet,
        pa.OSFile(str(folder / "tickets.arrow"), "wb") as stream,
        pa.ipc.new_stream(stream, schema) as as_arrow,
        (folder / "tickets.jsonl").open("w", encoding="utf-8") as as_lines,
    ):
        for block in blocks(rows):
            as_csv.write_table(block)
            as_parquet.write_table(block)
            as_arrow.write_table(block)
            as_lines.writelines(json.dumps(row) + "\n" for row in block.to_pylist())


def once(path: Path, cache: Path) -> dict[str, Any]:
    """Read and encode one file, and tell the time, the memory and what the ids are."""
    before, start, processor = peak_mib(), time.perf_counter(), time.process_time()
    source = local_text(cache, path=str(path), test_fraction=1)
    train = prepare(source, holdout=0, limit=None, seed=1, encoding=characters(length=256)).train
    clock, processor, peak = time.perf_counter() - start, time.process_time() - processor, peak_mib()
    content = blake2b(train.targets.numpy().tobytes(), digest_size=8)
    assert isinstance(train.inputs, Ragged)
    for part in train.inputs.split(BLOCK):
        content.update(part.padded().numpy().tobytes())
    return {
        "rows": len(train),
        "seconds": clock,
        "processor_seconds": processor,
        "peak_mib": peak,
        "before_mib": before,
        "ids": content.hexdigest(),
    }


def race(rows: int, rounds: int) -> dict[str, Any]:
    """Read every form in turns."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write(rows, folder)
        found: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
        for _ in range(rounds):
            for form in FORMS:
                with tempfile.TemporaryDirectory() as cache:
                    command = [sys.executable, __file__, "--one", str(folder / f"tickets.{form}"), "--cache", cache]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                found[form].append(json.loads(done.stdout))
        sizes = {form: (folder / f"tickets.{form}").stat().st_size / 1e6 for form in FORMS}
    return {form: described(found[form], sizes[form]) for form in FORMS}


def described(runs: list[dict[str, Any]], megabytes: float) -> dict[str, Any]:
    """Summarise the rounds of one form."""
    seconds = summary([run["seconds"] for run in runs])
    return {
        "megabytes": megabytes,
        "seconds": seconds,
        "rows_per_second": runs[0]["rows"] / seconds["median"],
        "megabytes_per_second": megabytes / seconds["median"],
        "peak_mib": max(run["peak_mib"] for run in runs),
        "before_mib": max(run["before_mib"] for run in runs),
        "ids": sorted({run["ids"] for run in runs}),
        "rounds": runs,
    }


@click.command()
@click.option("--rows", default=200_000, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write the record here.")
@click.option("--one", type=click.Path(path_type=Path), hidden=True)
@click.option("--cache", type=click.Path(path_type=Path), hidden=True)
def main(rows: int, rounds: int, output: Path | None, one: Path | None, cache: Path | None) -> None:
    """Read the same table in every form."""
    if one is not None and cache is not None:
        click.echo(json.dumps(once(one, cache)))
        return
    forms = race(rows, rounds)
    click.echo(f"{'form':8} {'MB':>6} {'rows/s':>8} {'MB/s':>6} {'peak MiB':>9} {'before':>7}  ids")
    for form, one_form in forms.items():
        click.echo(
            f"{form:8} {one_form['megabytes']:6.0f} {one_form['rows_per_second']:8,.0f} "
            f"{one_form['megabytes_per_second']:6.1f} {one_form['peak_mib']:9,.0f} {one_form['before_mib']:7,.0f}  "
            f"{', '.join(one_form['ids'])}"
        )
    if len({name for one_form in forms.values() for name in one_form["ids"]}) > 1:
        raise click.ClickException("the forms do not give the same token ids")
    if output is not None:
        record = {**facts(torch.device("cpu")), "rows": rows, "forms": forms}
        output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
