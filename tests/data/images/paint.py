"""Images of one colour."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)


def paint(path: Path, colour: tuple[int, int, int] | int = RED, size: tuple[int, int] = (4, 4)) -> Path:
    """Write an image in colour, or in grey where one number is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path)
    return path
