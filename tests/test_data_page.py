"""The example of ``docs/data.md`` runs as it stands."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from inspect import Parameter
from pathlib import Path

import pytest

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import toml_value
from cgl_ignite.data import AUGMENTATIONS, DATASETS, ENCODINGS
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.data import read_data

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "data.md").read_text("utf-8")
SMALL = ["backbone.width=4", "run.device=cpu", "optim.batch_size=4", "data.encoding.length=64"]


def block(language: str) -> str:
    """The first block in a language."""
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def tickets(workdir: Path) -> Path:
    """The files of the page, with the rows of the table five times."""
    header, rows = block("csv").split("\n", 1)
    (workdir / "tickets.csv").write_text(f"{header}\n{rows * 5}", encoding="utf-8")
    (workdir / "tickets.toml").write_text(block("toml"), encoding="utf-8")
    return workdir / "tickets.toml"


def test_the_table_is_read_as_the_page_says(tickets: Path) -> None:
    pipeline = load_pipeline(tickets)
    data = read_data(pipeline)
    assert data.source.classes == ("billing", "technical")
    parts = data.splits(seed=1)
    assert (len(parts.train), len(parts.holdout), len(parts.test())) == (12, 4, 4)
    assert parts.tokenizer is not None
    texts = {
        text for part in (parts.train, parts.test()) for text in parts.tokenizer.decode(parts.normaliser(part.inputs))
    }
    assert texts == {
        "invoice i was charged twice for march. please send the money back.",
        'login the page says "wrong password", but it is right.',
        "refund where is my refund?",
        "crash the app closes when i open a picture.",
    }


@pytest.mark.slow
def test_the_commands_run(tickets: Path) -> None:
    for command in block("sh").splitlines():
        changes = [part for change in SMALL for part in ("--set", change)]
        words = [sys.executable, "-m", "cgl_ignite", *command.split()[1:], *changes]
        if command.split()[1] == "check":
            words = words[: -len(changes)]
        done = subprocess.run(words, cwd=tickets.parent, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr


def test_the_error_is_the_one_shown(tickets: Path) -> None:
    table = tickets.with_name("tickets.csv")
    lines = block("csv").replace("\nPlease", " Please").splitlines()
    table.write_text("\n".join([*lines[:2], "2,technical,Login"]), encoding="utf-8")
    with pytest.raises(InputError) as raised:
        read_data(load_pipeline(tickets))
    assert f"error: {raised.value}" == re.search(r"```\n(error:.*)\n```", PAGE)[1]


def test_all_options_are_listed_with_their_defaults() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    options = DATASETS.options("local_text")
    assert options.keys() <= rows.keys()
    for name, option in options.items():
        if option.default is Parameter.empty:
            assert rows[name] == "needed"
        elif option.default is not None:
            assert rows[name] == str(option.default).lower()
    for kind in ("characters", "sentencepiece"):
        for name, option in ENCODINGS.options(kind).items():
            assert f"`{name} = {toml_value(option.default)}`" in rows[kind]


def test_all_augmentations_of_texts_are_listed_with_their_defaults() -> None:
    for kind in AUGMENTATIONS.kinds():
        if AUGMENTATIONS.facts(kind).get("modality") == "text":
            row = re.search(rf"^\| `{kind}` \|.*$", PAGE, re.MULTILINE)[0]
            for name, option in AUGMENTATIONS.options(kind).items():
                assert f"`{name} = {toml_value(option.default)}`" in row


def test_the_python_block_runs(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workdir / "page.py").write_text(block("python"), encoding="utf-8")
    runpy.run_path("page.py")
    assert capsys.readouterr().out.splitlines() == [
        "[[5, 17, 14, 6, 43, 0, 0, 0], [22, 20, 1, 21, 2, 4, 17, 16]]",
        "['cold!', 'tr\N{REPLACEMENT CHARACTER}s bon']",
    ]
