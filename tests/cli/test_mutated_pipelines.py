"""Whatever a mutation makes of a shipped pipeline: exit code 0 or 2, no traceback, within seconds."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.cli.main import cgl
from cgl_ignite.config.dump import to_toml, values

pytestmark = pytest.mark.slow

PIPELINES = sorted((Path(__file__).resolve().parents[2] / "pipelines").glob("*.toml"))
PARTS, CASES = 12, 350
SECONDS = 20.0
"""No case may take longer, on a busy machine either."""
VALUES = (
    *("true", "-1", "0", "2", "100000", "10000000000", "9" * 19, "9" * 4300, "-" + "9" * 5000, "0x" + "f" * 4000),
    *("1e308", "-1e308", "1e999", "inf", "nan", "1e-320", "0.5", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"),
    *('""', '"\\u0000"', '"a\\u0000b"', '"' + "x" * 300 + '"', '"' + "d/" * 3000 + '"', '"..\\u001b[31m\\u0007\\n"'),
    *('"/"', '"/dev/null"', '"~"', '"\\ud7ff\\U0010ffff"', '"cgl"', '"none"', '"ensemble"', '"latest"', "''''''"),
    *("[]", "[[]]", "[1, 'a', {}]", "[0, 0, 0]", "[1e999]", "[" * 1000 + "]" * 1000, "[" * 90 + "]" * 90, "{}"),
    *("{ kind = 'none' }", "{ kind = 3 }", "{ kind = '' }", "{ kind = {} }", "{ a = " * 200 + "1" + " }" * 200),
    *("{ kind = 'all', at = 3 }", "[{ kind = 'crop_flip' }, { kind = 'none' }]", "[" + "1, " * 3000 + "1]"),
)
"""What takes the place of a value, as TOML."""
Mutation = Callable[[random.Random, str], str]


def other_values(draw: random.Random, text: str) -> str:
    """Replace the values of a few keys."""
    lines = text.split("\n")
    given = [number for number, line in enumerate(lines) if "=" in line and not line.lstrip().startswith("#")]
    for number in draw.sample(given, min(len(given), draw.randint(1, 3))):
        lines[number] = f"{lines[number].partition('=')[0]}= {draw.choice(VALUES)}"
    return "\n".join(lines)


def inner_values(draw: random.Random, text: str) -> str:
    """Replace one value within inline tables and lists."""
    starts = [place for place, character in enumerate(text) if character in "=[,"]
    start = draw.choice(starts) + 1
    ends = [place for place in range(start, len(text)) if text[place] in ",]}\n"] or [len(text)]
    return f"{text[:start]} {draw.choice(VALUES)} {text[ends[0] :]}"


def other_keys(draw: random.Random, text: str) -> str:
    """Rename a key or a table, to another one of the file or to something strange."""
    lines = text.split("\n")
    given = [number for number, line in enumerate(lines) if "=" in line or line.startswith("[")]
    number = draw.choice(given)
    strange = ("''", "'\\x1b[2J'", '"\\u0000"', "a." * 1000 + "a", "kind", "method.preset", "k" * 5000, "class", "__x")
    name = draw.choice((*strange, lines[draw.choice(given)].partition("=")[0].strip(" []")))
    table = lines[number].startswith("[")
    lines[number] = f"[{name}]" if table else f"{name} = {lines[number].partition('=')[2]}"
    return "\n".join(lines)


def other_lines(draw: random.Random, text: str) -> str:
    """Leave lines out, double them or move them."""
    lines = text.split("\n")
    for _ in range(draw.randint(1, 4)):
        line = lines.pop(draw.randrange(len(lines)))
        for _ in range(draw.randint(0, 2)):
            lines.insert(draw.randint(0, len(lines)), line)
    return "\n".join(lines)


def more_lines(draw: random.Random, text: str) -> str:
    """Add a table or a key that the file does not have."""
    more = (
        f"[methods.{draw.choice(('cgl', 'dml', 'own', chr(39) * 2))}]\nstudents = {draw.choice(VALUES)}",
        f"[methods.cgl.{draw.choice(('run', 'data', 'optim', 'loss'))}]\nepochs = {draw.choice(VALUES)}",
        f"[distil]\nepochs = 1\nfrom = {draw.choice(VALUES)}",
        f"[tracking]\n{draw.choice(('folder', 'uri', 'experiment'))} = {draw.choice(VALUES)}",
        f"[run.checkpoint_every]\n{draw.choice(('seconds', 'epochs', 'iterations'))} = {draw.choice(VALUES)}",
        ".".join(draw.choice("ab") for _ in range(draw.choice((3, 300, 3000)))) + " = 1",
    )
    first = (f"plugins = [{draw.choice(VALUES)}]", f"seeds = {draw.choice(VALUES)}", f"name = {draw.choice(VALUES)}")
    return draw.choice((f"{text}\n{draw.choice(more)}\n", f"{draw.choice(first)}\n{text}"))


def other_bytes(draw: random.Random, text: str) -> bytes:
    """Flip bytes, cut the file off, or put bytes in."""
    content = bytearray(text.encode())
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(len(content))
        if draw.random() < 0.2:
            content[place:place] = bytes(draw.randrange(256) for _ in range(draw.randint(1, 9)))
        content[place] = draw.choice((draw.randrange(256), draw.choice(b"[]{}=.,'\"#\n\\0-+eE_")))
    return bytes(content[: draw.randrange(len(content))] if draw.random() < 0.1 else content)


MUTATIONS: tuple[Mutation, ...] = (other_values, other_values, inner_values, other_keys, other_lines, more_lines)


@pytest.fixture(scope="module")
def originals() -> list[str]:
    """Give every shipped pipeline as it is, and with all of its values written out."""
    short = [path.read_text().replace('"base/', f'"{path.parent.as_posix()}/base/') for path in PIPELINES]
    return short + [to_toml(values(load_pipeline(path))) for path in PIPELINES]


def mutated(part: int, case: int, originals: list[str]) -> bytes:
    """Make the content of one case, always the same."""
    draw = random.Random(f"{part} {case}")
    text = draw.choice(originals)
    if draw.random() < 0.3:
        return other_bytes(draw, text)
    for _ in range(draw.randint(1, 2)):
        text = draw.choice(MUTATIONS)(draw, text)
    return text.encode()


def checked(path: Path) -> tuple[Result, float]:
    started = time.monotonic()
    result = CliRunner().invoke(cgl, ["check", str(path)])
    return result, time.monotonic() - started


@pytest.mark.parametrize("part", range(PARTS))
def test_mutated_pipelines(part: int, originals: list[str], workdir: Path) -> None:
    codes: dict[int, int] = {}
    for case in range(CASES):
        path = workdir / "mutated.toml"
        path.write_bytes(mutated(part, case, originals))
        result, seconds = checked(path)
        codes[result.exit_code] = codes.get(result.exit_code, 0) + 1
        assert result.exception is None or isinstance(result.exception, SystemExit), (part, case, result.exception)
        assert result.exit_code in (0, 2), (part, case, result.output)
        assert (result.exit_code == 2) == bool(result.stderr.startswith("error: ")), (part, case, result.output)
        assert seconds < SECONDS, (part, case, seconds)
        assert [path.name for path in workdir.iterdir()] == ["mutated.toml"], (part, case)
    assert codes[2] > CASES // 2
