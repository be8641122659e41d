"""How fast are texts encoded, beside a plain reading of the same file with Python's ``csv``?

Each round reads the file with ``csv.reader`` and encodes it as characters into an empty cache, in one process that
takes turns. Times are those of the clock and, as others may use the machine, of the processor. A further process
encodes once, tells its peak memory, and opens the cache again.

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
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
import torch

from cgl_ignite.bench.figures import facts, peak_mib, ratio, summary
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


def encode(kind: str, root: Path, cache: Path) -> int:
    """Encode the training file, or open what was encoded, and return the number of rows."""
    part = DATASETS.get(kind)(root).train
    assert isinstance(part, Corpus)
    return len(characters().targets(replace(part, cache=cache)))


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Tell the seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}


def once(kind: str, root: Path, cache: Path) -> dict[str, float]:
    """Encode and open again in a process that does nothing else."""
    before = peak_mib()
    encode(kind, root, cache)
    peak = peak_mib()
    hit = timed(lambda: encode(kind, root, cache))["clock"]
    return {"peak_mib": peak, "before_mib": before, "cache_hit_seconds": hit}


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
    """Take turns, after one round that is not counted, and tell all rounds."""
    path = DATASETS.facts(kind)["files"].find(root, "train.csv")
    readings, encodings = [], []
    for _ in range(rounds + 1):
        readings.append(timed(lambda: plain(path)))
        with tempfile.TemporaryDirectory(dir=root) as cache:
            encodings.append(timed(partial(encode, kind, root, Path(cache))))
    with tempfile.TemporaryDirectory(dir=root) as cache:
        command = [sys.executable, __file__, "--one", kind, "--root", str(root), "--cache", cache]
        alone = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        rows = encode(kind, root, Path(cache))
    times = {"csv": readings[1:], "encoding": encodings[1:]}
    over = {
        by: ratio([one[by] for one in times["encoding"]], [one[by] for one in times["csv"]])
        for by in ("clock", "processor")
    }
    seconds = summary([one["clock"] for one in times["encoding"]])["median"]
    megabytes = path.stat().st_size / 1e6
    return {
        "kind": kind,
        "rows": rows,
        "megabytes": megabytes,
        "rounds": times,
        "encoding_over_csv": over,
        "rows_per_second": rows / seconds,
        "megabytes_per_second": megabytes / seconds,
        **alone,
    }


@click.command()
@click.option("--root", type=click.Path(path_type=Path), help="Data root that holds the files of the kind.")
@click.option("--kind", default="yelp_review_full", show_default=True, help="Data set to encode.")
@click.option("--made-up", type=int, help="Make synthetic rows, this many, in the layout of Amazon Review Full.")
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
    """Race the tokenizer against a plain reading."""
    if one is not None and root is not None and cache is not None:
        click.echo(json.dumps(once(one, root, cache)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if made_up is not None:
            root, kind = Path(folder), "amazon_review_full"
            make_up(made_up, root)
        elif root is None:
            raise click.UsageError("give --root or --made-up")
        measured = race(kind, root, rounds)
    over = measured["encoding_over_csv"]
    click.echo(
        f"{kind}: {measured['rows']:,} rows, {measured['megabytes']:,.0f} MB\n"
        f"encoding / csv   {over['clock']['median']:.2f}, of processor time {over['processor']['median']:.2f}\n"
        f"rate             {measured['rows_per_second']:,.0f} rows/s, {measured['megabytes_per_second']:,.0f} MB/s\n"
        f"peak memory      {measured['peak_mib']:,.0f} MiB, {measured['before_mib']:,.0f} MiB of it before\n"
        f"cache hit        {measured['cache_hit_seconds']:.3f} s"
    )
    if output is not None:
        record = {**facts(torch.device("cpu")), **measured}
        output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
