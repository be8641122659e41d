"""Concatenated rows of different lengths, padded when a batch is made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cgl_ignite.data.send import send

__all__ = ["Ragged"]

_ROWS_AT_ONCE = 8192


@dataclass(frozen=True, eq=False)
class Ragged:
    """Token ids of many texts in one tensor, which may be mapped from a file; a choice of rows copies none.

    Shape: tokens (M,) of any integer type, with padding (0) at position 0; starts and lengths int64 (N,) on the
    CPU: row n is ``tokens[starts[n] : starts[n] + lengths[n]]``.

    Args:
        width: what :meth:`padded` pads rows to; None pads to the longest.

    Example:
        >>> rows = Ragged(torch.tensor([0, 7, 8, 9]), torch.tensor([1, 3]), torch.tensor([2, 1]))
        >>> rows.padded().tolist()
        [[7, 8], [9, 0]]
    """

    tokens: Tensor
    starts: Tensor
    lengths: Tensor
    width: int | None = None

    def __len__(self) -> int:
        return len(self.starts)

    def index_select(self, dim: int, rows: Tensor) -> Ragged:
        """Choose rows by their indices, which lie on the CPU; ``dim`` is 0, as a tensor would have it."""
        return replace(self, starts=self.starts.index_select(dim, rows), lengths=self.lengths.index_select(dim, rows))

    def split(self, rows: int) -> list[Ragged]:
        """Cut into parts of this many rows."""
        parts = zip(self.starts.split(rows), self.lengths.split(rows), strict=True)
        return [replace(self, starts=starts, lengths=lengths) for starts, lengths in parts]

    def positions(self) -> Tensor:
        """Tell where the tokens of these rows lie, those of one row behind those of the other, on the CPU.

        Shape: (sum(lengths),).
        """
        ends = self.lengths.cumsum(0)
        shift = self.starts - (ends - self.lengths)
        return shift.repeat_interleave(self.lengths) + torch.arange(int(ends[-1]) if len(self) else 0)

    def packed(self) -> Ragged:
        """Copy the tokens of these rows, and of no others, one row behind the other behind the padding."""
        ends = 1 + self.lengths.cumsum(0)
        positions = send(torch.cat([torch.zeros(1, dtype=torch.int64), self.positions()]), self.tokens.device)
        return replace(self, tokens=self.tokens[positions], starts=ends - self.lengths)

    def padded(self) -> Tensor:
        """Lay the rows out as int64 (N, T) on the device of the tokens, without waiting for it."""
        device = self.tokens.device
        width = self.width or max(1, int(self.lengths.max()) if len(self) else 1)
        starts, lengths = send(torch.stack([self.starts, self.lengths]), device).unsqueeze(2)
        columns = torch.arange(width, device=device)
        return self.tokens[torch.where(columns < lengths, starts + columns, 0)].long()

    def to(self, device: torch.device | str) -> Ragged:
        """Hold the tokens of these rows, and of no others, on a device; nothing is copied if they are there."""
        if torch.device(device).type == self.tokens.device.type:
            return self
        if not len(self):
            return replace(self, tokens=self.tokens[:1].to(device))
        ends = self.lengths.cumsum(0) + 1
        packed = torch.zeros(int(ends[-1]), dtype=self.tokens.dtype, device=device)
        moved = replace(self, tokens=packed, starts=ends - self.lengths)
        for old, new in zip(self.split(_ROWS_AT_ONCE), moved.split(_ROWS_AT_ONCE), strict=True):
            first, positions = int(new.starts[0]), old.positions()
            packed[first : first + len(positions)] = self.tokens[positions].to(device)
        return moved
