"""Whatever a mutation makes of a picture: exit code 0 or 2, no traceback, within seconds; known damage is refused."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cgl_ignite.cli.main import cgl
from tests.mutations import FuzzedFile, Mutation, answer_of
from tests.student.runs import finished_run

pytestmark = pytest.mark.slow

PARTS, CASES = 3, 100
PIPELINE = """
[data]
kind = "local_images"
path = "pictures"
size = 16
holdout = 4
[backbone]
kind = "resnet8"
width = 4
[method]
preset = "baseline"
[optim]
kind = "adam"
learning_rate = 1e-3
batch_size = 4
[run]
epochs = 1
"""
FORMATS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *((".png", "L", {}), (".png", "RGB", {}), (".png", "RGBA", {}), (".png", "P", {}), (".png", "I;16", {})),
    *((".jpg", "RGB", {"quality": 90}), (".jpg", "CMYK", {}), (".jpeg", "RGB", {"progressive": True})),
    *(
        (".gif", "P", {}),
        (".bmp", "RGB", {}),
        (".tif", "RGB", {"compression": "tiff_lzw"}),
        (".tiff", "L", {}),
        (".webp", "RGB", {}),
    ),
    *((".ppm", "RGB", {}), (".pgm", "L", {})),
)


def original(draw: random.Random) -> FuzzedFile:
    """Paint a picture of any size in one of the formats that are read."""
    ending, mode, options = draw.choice(FORMATS)
    height, width = draw.randint(1, 60), draw.randint(1, 60)
    numbers = np.random.default_rng(draw.randrange(2**32))
    if mode == "I;16":
        image = Image.fromarray(numbers.integers(0, 2**16, (height, width), dtype=np.uint16))
    else:
        colour = "RGBA" if mode == "RGBA" else "RGB"
        image = Image.fromarray(numbers.integers(0, 256, (height, width, len(colour)), dtype=np.uint8)).convert(mode)
    file = io.BytesIO()
    kind = Image.registered_extensions()[ending]
    image.save(file, kind, **options)
    return FuzzedFile(ending, file.getvalue(), code=0)


def other_bytes(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Flip bits anywhere, or near the beginning, where sizes and kinds are."""
    changed = bytearray(picture.content)
    for _ in range(draw.randint(1, 8)):
        end = len(changed) if draw.random() < 0.5 else min(len(changed), 120)
        changed[draw.randrange(end)] ^= 1 << draw.randrange(8)
    return FuzzedFile(picture.name, bytes(changed))


def cut_off(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Leave the end out."""
    return FuzzedFile(picture.name, picture.content[: draw.randrange(1, len(picture.content))])


def more_bytes(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Put bytes into the file."""
    place = draw.randrange(len(picture.content))
    more = bytes(draw.randrange(256) for _ in range(draw.randint(1, 60)))
    return FuzzedFile(picture.name, picture.content[:place] + more + picture.content[place:])


def other_ending(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Give it the ending of another format; the content tells which it is."""
    return picture._replace(name=draw.choice(FORMATS)[0])


def empty(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Leave nothing, or zeros, or a text."""
    return FuzzedFile(picture.name, draw.choice((b"", b"\0" * 5000, b"no picture", b"\xff\xd8\xff")), code=2)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def huge(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Write a small PNG file that says it has up to 10^18 pixels, which it may even have."""
    width, height = draw.choice(((2**31 - 1, 2**31 - 1), (50_000, 50_000), (2**31 - 1, 1), (0, 5), (20_000, 20_000)))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    rows = zlib.compress(bytes(draw.choice((10, 10**7))))
    return FuzzedFile(".png", b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", rows) + chunk(b"IEND", b""), code=2)


def turned(draw: random.Random, picture: FuzzedFile) -> FuzzedFile:
    """Write EXIF data that are cut off, wrong or turn the picture."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = draw.choice((1, 6, 8, 0, 99))
    content = exif.tobytes()
    if wrong := draw.random() < 0.5:
        content = content[: draw.randrange(7, len(content))]
    Image.new("RGB", (9, 5)).save(file, "JPEG", exif=content)
    return FuzzedFile(".jpg", file.getvalue(), code=None if wrong else 0)


MUTATIONS: tuple[Mutation, ...] = (other_bytes, other_bytes, cut_off, more_bytes, other_ending, empty, huge, turned)


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Train a student of pictures."""
    return finished_run(tmp_path_factory.mktemp("student")).student


def write_folder() -> None:
    """Write a folder of two classes of pictures, and a pipeline that learns from them."""
    for number in range(12):
        folder = Path("pictures", ("cat", "dog")[number % 2])
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (number * 9, 0, 255 - number)).save(folder / f"{number}.png")
    Path("pictures.toml").write_text(PIPELINE)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.filterwarnings("ignore")
def test_mutated_pictures(part: int, student: str, workdir: Path) -> None:
    write_folder()
    codes: Counter[int] = Counter()
    for case in range(CASES):
        draw = random.Random(f"{part} {case}")
        picture = original(draw)
        for _ in range(draw.randint(0, 2)):
            picture = draw.choice(MUTATIONS)(draw, picture) if picture.code != 2 else picture
        path = Path("pictures", "cat", f"mutated{picture.name}")
        path.write_bytes(picture.content)
        command = ["check", "pictures.toml", "--data"] if draw.random() < 0.5 else ["predict", student, str(path)]
        result = answer_of(picture, partial(CliRunner().invoke, cgl, command), part, case, command[0])
        path.unlink()
        codes[result.exit_code] += 1
        assert result.exit_code == 0 or "mutated" in result.stderr, (part, case, result.stderr)
    assert codes[0] > CASES // 4
    assert codes[2] > CASES // 4
