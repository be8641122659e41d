from __future__ import annotations

import torch

from cgl_ignite.data import Normaliser, measure_normaliser
from cgl_ignite.seeding import stream


def test_measured_rows_come_out_with_mean_zero_and_deviation_one() -> None:
    inputs = torch.randint(256, (50, 3, 7, 5), dtype=torch.uint8, generator=stream(1, "levels"))
    inputs[:, 1] //= 3
    normalised = measure_normaliser(inputs)(inputs)
    assert normalised.dtype == torch.float32
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalised.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_black_and_white_have_mean_and_deviation_one_half() -> None:
    measured = measure_normaliser(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1))
    assert (measured.mean.item(), measured.std.item()) == (0.5, 0.5)


def test_a_channel_of_one_level_becomes_zero() -> None:
    inputs = torch.full((4, 2, 3, 3), 100, dtype=torch.uint8)
    torch.testing.assert_close(measure_normaliser(inputs)(inputs), torch.zeros(4, 2, 3, 3), atol=1e-4, rtol=0)


def test_inputs_are_left_as_they_are() -> None:
    inputs = torch.full((1, 1, 2, 2), 51, dtype=torch.uint8)
    Normaliser(torch.tensor([0.5]), torch.tensor([0.1]))(inputs)
    assert inputs.unique().tolist() == [51]
