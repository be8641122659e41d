"""The README of an exported student: its card, and the lines of Python that load its file without this package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cgl_ignite.student.card import Card

__all__ = ["PICTURE", "TEXT", "Usage", "readme"]

PICTURE, TEXT = "picture.png", "The food was cold."
"""What the lines classify."""


@dataclass(frozen=True)
class Usage:
    """How a file of a format is loaded, as lines of Python.

    Attributes:
        packages: that pip installs.
        imports: lines beside ``import json``.
        load: lines that make ``extra``, with the card and the tokenizer of the student.
        answer: an expression that makes logits of the array ``inputs``, both of NumPy; None if the file holds weights
            alone.
        more: for people, what else is to be said.
    """

    packages: tuple[str, ...]
    imports: tuple[str, ...]
    load: tuple[str, ...]
    answer: str | None = None
    more: str = ""


_PICTURE = """\
picture = ImageOps.exif_transpose(Image.open("{place}")).convert("{mode}")
picture = ImageOps.fit(picture, ({width}, {height}), Image.Resampling.BICUBIC)
inputs = np.array(picture, np.float32).reshape(1, {height}, {width}, {channels}).transpose(0, 3, 1, 2) / 255"""

_CHARACTERS = """\
ids = {character: number for number, character in enumerate(encoder["alphabet"], start=2)}
ids |= {character.upper(): number for character, number in ids.items()}
ids |= dict.fromkeys("\\t\\n\\v\\f\\r", ids.get(" ", 1))
tokens = [ids.get(character, 1) for character in text]"""

_SENTENCEPIECE = """\
processor = SentencePieceProcessor(model_proto=b64decode(encoder["model"]["base64"]))
tokens = processor.encode(text)"""

_PADDED = """\
tokens = tokens[: encoder["length"]]
width = encoder["length"] if encoder["pad"] == "full" else max(1, len(tokens))
inputs = np.array([tokens + [0] * (width - len(tokens))], np.int64)"""

_LABELS = """\
for name, share in zip(card["classes"], 1 / (1 + np.exp(-logits))):
    if share > 0.5:
        print(name, round(float(share), 4))"""

_CLASSES = """\
shares = np.exp(logits - logits.max())
shares /= shares.sum()
for number in shares.argsort()[::-1][:3]:
    print(card["classes"][number], round(float(shares[number]), 4))"""


_ANSWERS: Mapping[str, str] = {"single_label": _CLASSES, "multi_label": _LABELS}
"""The lines that say what the array ``logits`` means, by task."""


@dataclass(frozen=True)
class _Inputs:
    """The lines that make ``inputs``, and what they need."""

    lines: str
    packages: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


_TOKENS: Mapping[str, _Inputs] = {
    "characters": _Inputs(_CHARACTERS),
    "sentencepiece": _Inputs(
        _SENTENCEPIECE,
        ("sentencepiece",),
        ("from base64 import b64decode", "from sentencepiece import SentencePieceProcessor"),
    ),
}


def readme(card: Card, usage: Usage | None) -> str:
    """Write the card of a student for people and, if its format has a usage, the lines that load its file."""
    if usage is None:
        return card.markdown()
    inputs = _inputs(card)
    packages, imports = list(usage.packages), ["import json", *usage.imports]
    lines = [*usage.load, 'card = json.loads(extra["card.json"])']
    if usage.answer is not None and inputs is not None:
        packages += ["numpy", *inputs.packages]
        imports += ["import numpy as np", *inputs.imports]
        lines += [inputs.lines, f"logits = {usage.answer}[0]", _ANSWERS[card.task]]
    else:
        lines += ['print(card["classes"])']
    return (
        f"{card.markdown()}\n## Without cgl_ignite\n\n{usage.more}"
        f"These lines need `pip install {' '.join(dict.fromkeys(packages))}`:\n\n"
        f"```python\n{_sorted(imports)}\n\n{chr(10).join(lines)}\n```\n"
    )


def _inputs(card: Card) -> _Inputs | None:
    """Return the lines that read a picture or a text; None for an encoding of a plugin."""
    if card.encoding is not None:
        tokens = _TOKENS.get(card.encoding.kind)
        if tokens is None:
            return None
        start = f'text = "{TEXT}"\nencoder = json.loads(extra["encoder.json"])'
        return _Inputs(f"{start}\n{tokens.lines}\n{_PADDED}", tokens.packages, tokens.imports)
    if len(card.shape) == 3 and card.shape[0] in (1, 3):
        channels, height, width = card.shape
        mode = "L" if channels == 1 else "RGB"
        lines = _PICTURE.format(place=PICTURE, mode=mode, channels=channels, height=height, width=width)
        return _Inputs(lines, ("pillow",), ("from PIL import Image, ImageOps",))
    shape = ", ".join(map(str, (1, *card.shape)))
    return _Inputs(f"inputs = np.zeros(({shape}), np.float32)  # values from 0 to 1")


def _sorted(imports: list[str]) -> str:
    """Order lines of imports: of whole modules first, each once."""
    return "\n".join(sorted(dict.fromkeys(imports), key=lambda line: (line.startswith("from"), line.lower())))
