from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from cgl_ignite.errors import InputError
from cgl_ignite.pool.limits import TIMES, refuse_large_layers

WEIGHTS = {"weight": torch.ones(8, 4), "bias": torch.zeros(8)}
SIZE = 4 * (8 * 4 + 8)
"""Bytes of the layer."""


def linear() -> nn.Module:
    """Make a layer with weights of its own, as a plugin may that reads them from a file."""
    layer = nn.Linear(4, 8)
    layer.load_state_dict(WEIGHTS)
    return layer


def test_layers_may_be_some_times_as_large_as_their_file(tmp_path: Path) -> None:
    path = tmp_path / "student.pt"
    path.write_bytes(bytes(SIZE))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refuse_large_layers(path, [linear], [TIMES])
    with pytest.raises(InputError, match=rf"take {(TIMES + 1) * SIZE:,} bytes or more, and the file holds {SIZE}"):
        refuse_large_layers(path, [linear], [TIMES + 1])
