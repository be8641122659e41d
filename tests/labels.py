"""A small table of messages with several labels each, and a pipeline that learns from it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

__all__ = ["LABELS", "label_pipeline", "messages", "write_messages"]

LABELS = {"late": "delayed hours slow", "price": "costly bill money", "rude": "angry shouted staff"}


def messages(rows: int = 120) -> list[dict[str, Any]]:
    """Make messages whose words tell their labels; some have none, the first has two."""
    draw, made = random.Random(3), []
    for row in range(rows):
        tags = ["rude", "late"] if row == 0 else [name for name in LABELS if draw.random() < 0.4]
        words = [word for tag in tags for word in draw.choices(LABELS[tag].split(), k=3)] or ["fine", "thanks"]
        made.append({"text": f"{' '.join(words)} {row}", "tags": tags})
    return made


def write_messages(folder: Path, rows: int = 120) -> Path:
    """Write messages as ``messages.jsonl``, with a list of labels in each line."""
    path = folder / "messages.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in messages(rows)))
    return path


def label_pipeline(folder: Path, method: str = "cgl") -> dict[str, Any]:
    """Describe a training on messages in a folder, which are written if they are not there."""
    path = folder / "messages.jsonl"
    if not path.exists():
        write_messages(folder)
    return {
        "name": "messages",
        "data": {
            "kind": "local_text",
            "root": str(folder),
            "path": str(path),
            "task": "multi_label",
            "label": "tags",
            "holdout": 20,
            "encoding": {"kind": "characters", "length": 64},
        },
        "backbone": {"kind": "vdcnn9", "width": 2, "embedding": 4},
        "method": {"preset": method},
        "optim": {"kind": "adam", "learning_rate": 0.003, "batch_size": 64},
        "run": {
            "epochs": 2,
            "device": "cpu",
            "checkpoint_every": {"iterations": 1},
            "metrics": ["mean_average_precision", "micro_f1", "macro_f1", "hamming_loss", "recall"],
        },
    }
