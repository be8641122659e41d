"""No name or value steers the terminal: not in results, tables, notes or errors."""

from __future__ import annotations

import ast
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from rich.table import Table
from rich.text import Text

from cgl_ignite.cli import output
from cgl_ignite.cli.main import cgl
from cgl_ignite.cli.output import SafeConsole, cells
from cgl_ignite.errors import escaped, escaped_lines
from cgl_ignite.pipeline import RunResult
from cgl_ignite.student import read_student, write_student
from cgl_ignite.student.network import Student

CLI = Path(output.__file__).parent
BAD = "\x1b[2J\x07\nforged\t100.00\x9b1m\u202e\x7f"
SHOWN = r"\x1b[2J\x07\nforged\t100.00\x9b1m\u202e\x7f"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cgl, list(map(str, arguments)))


def test_escapes() -> None:
    assert escaped(BAD) == SHOWN
    assert escaped_lines(BAD).split("\n") == [r"\x1b[2J\x07", r"forged\t100.00\x9b1m\u202e\x7f"]
    assert escaped("größer 猫 \\n ±") == "größer 猫 \\n ±"


def test_consoles_keep_their_own_codes() -> None:
    file = io.StringIO()
    console = SafeConsole(file=file, force_terminal=True, color_system="standard", no_color=False, width=200)
    table = Table("class", "share")
    table.add_row(*cells([BAD, "1"]))
    console.print(Text.assemble(("note: ", "yellow"), BAD))
    console.print(table)
    text = file.getvalue()
    assert "\x1b[33mnote: \x1b[0m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert not CONTROL.search(plain)
    assert plain.count(SHOWN) == 1  # rich itself leaves out some of those in the note
    assert plain.startswith(r"note: \x1b[2J\nforged")
    assert not re.search("^.?forged", plain, re.MULTILINE)


def test_all_verbs_write_through_it() -> None:
    for path in CLI.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        consoles = [call for call in calls if isinstance(call, ast.Name) and call.id == "Console"]
        assert not consoles, f"{path.name} makes a console of its own"


def test_class_names_and_paths_forge_no_rows(result: RunResult, workdir: Path) -> None:
    student, card = read_student(Path(result.student))
    assert isinstance(student, Student)
    write_student(workdir / "bad.pt", student, card.model_copy(update={"classes": (BAD, *card.classes[1:])}))
    picture = workdir / f"{BAD.replace('/', '')}.png"
    Image.new("L", (8, 8)).save(picture)
    done = invoke("predict", "bad.pt", picture, "--top", "10")
    assert done.exit_code == 0, done.output
    assert not CONTROL.search(done.output)
    (row,) = done.stdout.splitlines()
    assert row.split("\t")[0] == f"{workdir}/{SHOWN}.png"
    assert SHOWN in row.split("\t")[1::2]
    answers = json.loads(invoke("predict", "bad.pt", picture, "--top", "10", "--json").stdout)["predictions"][0]
    assert BAD in [answer["label"] for answer in (answers, *answers["next"])]


@pytest.mark.parametrize("key", ["'\\u001b[2J\\nforged: ok'", '"\\u001b[2J\\nforged: ok"'])
def test_keys_and_paths_in_errors(workdir: Path, key: str) -> None:
    path = workdir / "a\x1b[2J\nforged: ok.toml"
    path.write_text(f"{key} = 1\n")
    failed = invoke("check", path)
    assert failed.exit_code == 2
    assert not CONTROL.search(failed.output)
    assert not re.search("^forged", failed.output, re.MULTILINE)
    missing = invoke("predict", f"{path}.pt", "picture.png")
    assert missing.exit_code == 2
    assert not CONTROL.search(missing.output)
    assert not re.search("^forged", missing.output, re.MULTILINE)


def test_ok_lines(workdir: Path) -> None:
    path = workdir / "b.toml: ok\na.toml"
    path.write_text(f"extends = '{CLI.parents[1] / 'pipelines' / 'digits_resnet.toml'}'\n")
    done = invoke("check", path)
    assert (done.exit_code, done.stdout) == (0, f"{workdir}/b.toml: ok\\na.toml: ok\n")
