"""How fast are texts encoded, beside a plain reading of the same file with Python's ``csv``?

Each round reads the file with ``csv.reader`` and encodes it as characters into an empty cache, one after the other.
Every encoding runs in a process of its own, which tells its peak memory and then opens the cache once more.

    python benchmarks/encoding.py --root DATA/stars
    python benchmarks/encoding.py --made-up 3650000 --rounds 3     a file with the layout of Amazon Review Full
"""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import torch
from measure import facts, ratio, summary

from cgl_ignite.data import DATASETS, Corpus, characters

WORDS = 20_000
REVIEWS = 5_000
MEAN_WORDS = 75
"""With the spaces about as many characters as Amazon Review Full has on average: 430."""


def plain(path: Path) -> None:
    """Read all rows and do nothing with them."""
    csv.field_size_limit(2**30)
    with path.open(encoding="utf-8", newline="") as file:
        for _ in csv.reader(file):
            pass


def encode(kind: str, root: Path, cache: Path) -> dict[str, float]:
    """Encode the training file, open it again, and tell the times and the greatest memory of this process."""
    import resource

    import pyarrow.compute
    import pyarrow.csv  # noqa: F401  loaded before the clock starts, as csv is

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    part = DATASETS.get(kind)(root).train
    assert isinstance(part, Corpus)
    corpus = replace(part, cache=cache)
    start = time.perf_counter()
    rows = len(characters().targets(corpus))
    encoded = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    again = time.perf_counter()
    assert len(characters().targets(corpus)) == rows
    return {
        "rows": rows,
        "encode": encoded - start,
        "cache_hit": time.perf_counter() - again,
        "peak_mib": peak / 2**10,
        "before_mib": before / 2**10,
    }


def make_up(rows: int, root: Path) -> None:
    """Write reviews of words from a fixed list, in the official layout, quotes and written new lines among them."""
    draw = random.Random(0)
    letters = "etaoinshrdlcumwfgypbvkjxqz"
    words = ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(WORDS)]
    words += ['""good""', "\\n", "café", "10%,", "Well.", "I", "The"] * 100
    reviews = [" ".join(draw.choices(words, k=draw.randint(10, 2 * MEAN_WORDS - 10))) for _ in range(REVIEWS)]
    folder = root / "amazon_review_full_csv"
    folder.mkdir(parents=True)
    for name, count in (("train", rows), ("test", 10)):
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as file:
            for row in range(count):
                file.write(f'"{row % 5 + 1}","review {row}","{reviews[row % REVIEWS]}"\n')


def race(kind: str, root: Path, rounds: int) -> dict[str, Any]:
    """Take turns and tell all rounds."""
    path = DATASETS.facts(kind)["files"].find(root, "train.csv")
    readings: list[float] = []
    encodings: list[dict[str, float]] = []
    for _ in range(rounds):
        start = time.perf_counter()
        plain(path)
        readings.append(time.perf_counter() - start)
        with tempfile.TemporaryDirectory(dir=root) as cache:
            command = [sys.executable, __file__, "--one", kind, "--root", str(root), "--cache", cache]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            encodings.append(json.loads(done.stdout))
    megabytes = path.stat().st_size / 1e6
    seconds = [one["encode"] for one in encodings]
    middle = summary(seconds)["median"]
    return {
        "kind": kind,
        "rows": encodings[0]["rows"],
        "megabytes": megabytes,
        "csv_seconds": readings,
        "encodings": encodings,
        "encoding_over_csv": ratio(seconds, readings),
        "rows_per_second": encodings[0]["rows"] / middle,
        "megabytes_per_second": megabytes / middle,
        "peak_mib": max(one["peak_mib"] for one in encodings),
        "cache_hit_seconds": max(one["cache_hit"] for one in encodings),
    }


@click.command()
@click.option("--root", type=click.Path(path_type=Path), help="Data root that holds the files of the kind.")
@click.option("--kind", default="yelp_review_full", show_default=True, help="Data set to encode.")
@click.option("--made-up", type=int, help="Make up so many rows in the layout of Amazon Review Full.")
@click.option("--rounds", default=7, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="Write the record here.")
@click.option("--one", hidden=True)
@click.option("--cache", type=click.Path(path_type=Path), hidden=True)
def main(
    root: Path | None,
    kind: str,
    made_up: int | None,
    rounds: int,
    output: Path | None,
    one: str | None,
    cache: Path | None,
) -> None:
    """Race the encoder against a plain reading."""
    if one is not None and root is not None and cache is not None:
        click.echo(json.dumps(encode(one, root, cache)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if made_up is not None:
            root, kind = Path(folder), "amazon_review_full"
            make_up(made_up, root)
        elif root is None:
            raise click.UsageError("give --root or --made-up")
        measured = race(kind, root, rounds)
    click.echo(
        f"{kind}: {measured['rows']:,} rows, {measured['megabytes']:,.0f} MB; encoding / csv "
        f"{measured['encoding_over_csv']['median']:.2f}; {measured['rows_per_second']:,.0f} rows/s, "
        f"{measured['megabytes_per_second']:,.0f} MB/s; peak {measured['peak_mib']:,.0f} MiB; "
        f"cache hit {measured['cache_hit_seconds']:.3f} s"
    )
    if output is not None:
        record = {**facts(torch.device("cpu")), **measured}
        output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
