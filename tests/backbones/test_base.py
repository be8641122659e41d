from __future__ import annotations

import pytest
import torch
from torch import nn

from cgl_ignite.backbones import Backbone, channel_means


def test_each_layer_is_a_stage_unless_it_is_said() -> None:
    assert Backbone((nn.Identity,) * 3, nn.Identity).stages == (1, 1, 1)
    assert Backbone((nn.Identity,) * 3, nn.Identity, stages=(1, 2)).stages == (1, 2)


def test_stages_hold_all_layers() -> None:
    with pytest.raises(ValueError, match=r"stages of \(1, 1\) layers for a backbone of 3"):
        Backbone((nn.Identity,) * 3, nn.Identity, stages=(1, 1))


def test_channels_are_averaged_over_all_positions() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 4.0]]]])
    assert channel_means(maps).tolist() == [[3.0, 1.0]]
    assert channel_means(maps.flatten(2)).tolist() == [[3.0, 1.0]]
    assert channel_means(torch.tensor([[3.0, 1.0]])).tolist() == [[3.0, 1.0]]
