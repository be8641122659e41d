"""What the runs of a page have in common, in which values they differ, and how they differ from the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import differences, flatten, to_toml, toml_value
from cgl_ignite.config.recipes import BACKBONES, DATASETS, recipe
from cgl_ignite.errors import InputError
from cgl_ignite.page.source import PageRun, Source

__all__ = ["common_setting", "deviations_from_paper", "differing_values", "in_words", "portable_toml"]

HERE = ("tracking", "seeds", "name")
"""What a page leaves out of a pipeline, as it belongs to the machine or the command."""


def common_setting(run: PageRun) -> list[tuple[str, str]]:
    """List what a reader wants to know first of one run, and of all that share its data."""
    tree, rows = run.setting, run.artifact("data.json").get("parts", {})
    optim, epochs, passes = tree["optim"], tree["run"]["epochs"], tree["run"]["passes_per_epoch"]
    divided = ", ".join(f"{part['rows']:,} {name}" for name, part in rows.items())
    return [
        ("data set", f"{tree['data']['kind']}: {divided} rows" if divided else tree["data"]["kind"]),
        ("backbone", _words(tree["backbone"])),
        ("optimizer", f"{optim['kind']}, learning rate {optim['learning_rate']:g}, batches of {optim['batch_size']}"),
        ("epochs", str(epochs) if passes == 1 else f"{epochs}, with {passes} passes over the data each"),
    ]


def differing_values(source: Source) -> tuple[list[str], list[tuple[str, ...]]]:
    """Return the methods that have a finished run, and one row for each key that is not the same for all of them."""
    first = {name: run for name, runs in source.methods.items() for run in runs[:1] if run.folder}
    trees = {name: flatten(_portable(run.setting)) for name, run in first.items()}
    keys = dict.fromkeys(key for tree in trees.values() for key in tree)
    rows = [(key, *(in_words(tree.get(key)) for tree in trees.values())) for key in keys]
    return list(trees), [row for row in rows if len(set(row[1:])) > 1]


def deviations_from_paper(run: PageRun, own: Sequence[str] = ()) -> list[str] | None:
    """Tell in which values a run differs from the paper's setting for its data set, backbone and method.

    Args:
        run: a finished run.
        own: dotted keys that do not count, as the row of the paper changes them, too; ``kind`` stands for its table.

    Returns:
        Short sentences, none if nothing differs; None if the setting is not known.
    """
    tree = run.setting
    dataset, backbone, preset = tree["data"]["kind"], tree["backbone"]["kind"], tree["method"]["preset"]
    if dataset not in DATASETS or backbone not in BACKBONES:
        return None
    try:
        paper = load_pipeline({"name": "paper", "seeds": [1], **recipe(dataset, backbone, preset)})
    except InputError:
        return None
    tables = [key.removesuffix(".kind") for key in own]
    found = {
        key: pair
        for key, pair in differences(tree, paper).items()
        if not any(f"{key}.".startswith(f"{table}.") for table in tables)
    }
    return [
        f"{key} is {in_words(there)}, in the paper's setting {in_words(here)}" for key, (there, here) in found.items()
    ]


def portable_toml(run: PageRun) -> str:
    """Write the pipeline of a run without what belongs to this machine."""
    return to_toml(_portable(run.setting))


def _portable(tree: Mapping[str, Any]) -> dict[str, Any]:
    data = {key: value for key, value in tree["data"].items() if key != "root"}
    return {key: data if key == "data" else value for key, value in tree.items() if key not in HERE}


def _words(table: Mapping[str, Any]) -> str:
    options = ", ".join(f"{key} {in_words(value)}" for key, value in table.items() if key != "kind")
    return f"{table['kind']} ({options})" if options else str(table["kind"])


def in_words(value: Any) -> str:
    """Write a value of a pipeline; None is one that is not set."""
    return "not set" if value is None else toml_value(value) if not isinstance(value, str) else value
