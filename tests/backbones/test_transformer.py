"""The Transformer against PyTorch's own tokenizer, and its mask against more padding."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.backbones.transformer import positions, token_means, transformer
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

TOKENS = InputSpec("text", (512,), vocabulary=16_000)
SHORT = InputSpec("text", (12,), vocabulary=20)
SMALL = {"embedding": 6, "width": 8, "heads": 2, "feed_forward": 10}


def parts(backbone: Backbone) -> list[nn.Module]:
    return [builder() for builder in (*backbone.layers, backbone.classifier)]


def counts(backbone: Backbone) -> list[int]:
    with torch.device("meta"):
        return [sum(parameter.numel() for parameter in part.parameters()) for part in parts(backbone)]


def network(**options: object) -> nn.Sequential:
    """A small one in double precision, whose biases and norms are not at their start."""
    with global_stream(3, "trial"):
        layers = nn.Sequential(*parts(transformer(SHORT, 3, **{**SMALL, **options}))).double()
        for parameter in layers.parameters():
            if parameter.dim() == 1:
                nn.init.normal_(parameter)
    return layers


def texts(*lengths: int, width: int = 12) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    rows = [torch.randint(1, 20, (length,), generator=generator) for length in lengths]
    return torch.stack([F.pad(row, (0, width - len(row))) for row in rows])


def test_parameters_of_one_network() -> None:
    assert counts(transformer(TOKENS, 2)) == [16_000 * 512 + 512 * 128 + 128, *[198_272] * 3, 258]
    assert sum(counts(transformer(TOKENS, 2))) == 8_852_738
    assert sum(counts(transformer(TOKENS, 2, width=512))) == 12_926_978


def test_layers_and_stages() -> None:
    assert BACKBONES.facts("transformer")["modality"] == "text"
    assert transformer(TOKENS, 2).stages == (1, 1, 1, 1)
    assert len(transformer(TOKENS, 2, blocks=5).layers) == 6


def reference(ours: nn.Module, values: Tensor, padding: Tensor) -> Tensor:
    """One block by PyTorch's own layer, with the same weights."""
    theirs = nn.TransformerEncoderLayer(8, 2, 10, dropout=0.0, batch_first=True).double()
    names = {
        "self_attn.in_proj_weight": "attention.inputs.weight",
        "self_attn.in_proj_bias": "attention.inputs.bias",
        "self_attn.out_proj.weight": "attention.output.weight",
        "self_attn.out_proj.bias": "attention.output.bias",
        "linear1.weight": "feed_forward.0.weight",
        "linear1.bias": "feed_forward.0.bias",
        "linear2.weight": "feed_forward.2.weight",
        "linear2.bias": "feed_forward.2.bias",
        "norm1.weight": "norm.weight",
        "norm1.bias": "norm.bias",
        "norm2.weight": "feed_forward_norm.weight",
        "norm2.bias": "feed_forward_norm.bias",
    }
    state = ours.state_dict()
    theirs.load_state_dict({name: state.pop(own) for name, own in names.items()})
    assert not state
    return theirs(values, src_key_padding_mask=padding)


def test_logits_are_those_of_pytorchs_tokenizer() -> None:
    ours, symbols = network(dropout=0.0), texts(12, 7, 1)
    padding = symbols == 0
    first, *blocks, classifier = ours
    table, projection = first.embedding, first.projection
    values = table(symbols) @ projection.weight.T + projection.bias + positions(12, 8).double()
    for block in blocks:
        values = reference(block, values, padding)
    lengths = (~padding).sum(1, keepdim=True)
    means = values.masked_fill(padding[:, :, None], 0).sum(1) / lengths
    expected = means @ classifier[1].weight.T + classifier[1].bias
    torch.testing.assert_close(ours(symbols), expected, rtol=1e-9, atol=1e-9)


def test_more_padding_changes_nothing() -> None:
    ours = network().eval()
    short, long = texts(5, 3, 1, width=5), texts(5, 3, 1, width=12)
    torch.testing.assert_close(ours(short), ours(long), rtol=1e-12, atol=1e-12)
    gradients = [
        torch.autograd.grad(ours(symbols).square().sum(), list(ours.parameters())) for symbols in (short, long)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_padding_is_exactly_zero_after_every_layer_while_training() -> None:
    values = symbols = texts(9, 2, 0)
    for layer in network()[:-1].train():
        values = layer(values)
        assert torch.equal((values != 0).any(2), symbols != 0)


def test_a_text_without_tokens_has_logits_and_gradients() -> None:
    ours, symbols = network(), texts(0, 4)
    logits = ours(symbols)
    torch.testing.assert_close(logits[0], ours[-1][1].bias)
    logits.sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in ours.parameters())


def test_without_a_projection() -> None:
    first = parts(transformer(SHORT, 3, **{**SMALL, "embedding": 8}))[0].eval()
    symbols = texts(4)
    expected = first.embedding(symbols) + positions(12, 8)
    torch.testing.assert_close(first(symbols)[:, :4], expected[:, :4])
    assert [name for name, _ in first.named_parameters()] == ["embedding.weight"]


@pytest.mark.parametrize("width", [6, 7])
def test_positions_turn_at_falling_rates(width: int) -> None:
    found = positions(40, width).double()
    for column in range(width):
        rate = 10000 ** -((column - column % 2) / width)
        wave = math.cos if column % 2 else math.sin
        expected = torch.tensor([wave(t * rate) for t in range(40)], dtype=torch.float64)
        torch.testing.assert_close(found[:, column], expected, rtol=0, atol=1e-6)


def test_the_mean_over_no_tokens_is_zero() -> None:
    assert token_means(torch.zeros(2, 3, 4)).tolist() == [[0.0] * 4] * 2


def test_dropout_stands_on_the_sum_and_the_residual_branches() -> None:
    layers = parts(transformer(SHORT, 3, **SMALL, dropout=0.3))
    found = [[part.p for part in layer.modules() if isinstance(part, nn.Dropout)] for layer in layers]
    assert found == [[0.3], [0.3, 0.3], [0.3, 0.3], [0.3, 0.3], []]


def test_linear_layers_are_drawn_as_glorot_and_bengio_do() -> None:
    with global_stream(1, "trial"):
        layers = parts(transformer(InputSpec("text", (12,), 50), 40, embedding=64, width=32))
    for linear in (part for layer in layers for part in layer.modules() if isinstance(part, nn.Linear)):
        bound = math.sqrt(6 / sum(linear.weight.shape))
        assert linear.weight.abs().max().item() == pytest.approx(bound, rel=0.05)
        assert linear.weight.abs().max().item() <= bound
        assert not linear.bias.any()


def test_heads_that_do_not_divide_the_width() -> None:
    with pytest.raises(InputError, match="width = 10 is not divided by heads = 4"):
        transformer(SHORT, 3, width=10)
