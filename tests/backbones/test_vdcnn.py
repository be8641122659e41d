"""VDCNN as its authors and the re-implementations count it, and against a network written by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from cgl_ignite.backbones import BACKBONES, Backbone
from cgl_ignite.backbones.vdcnn import KMaxPool, vdcnn9, vdcnn17, vdcnn29
from cgl_ignite.errors import InputError
from cgl_ignite.seeding import global_stream
from cgl_ignite.spec import InputSpec

CHARACTERS = InputSpec("text", (1024,), vocabulary=69)
SHORT = InputSpec("text", (64,), vocabulary=11)


def parts(backbone: Backbone) -> list[nn.Module]:
    return [builder() for builder in (*backbone.layers, backbone.classifier)]


def counts(backbone: Backbone) -> list[int]:
    """Parameters of every layer and of the classifier; nothing is drawn."""
    with torch.device("meta"):
        return [sum(parameter.numel() for parameter in part.parameters()) for part in parts(backbone)]


@pytest.mark.parametrize("layers", ["blocks", "convolutions"])
def test_parameters_of_one_network(layers: str) -> None:
    found = counts(vdcnn9(CHARACTERS, 5, layers=layers))
    assert (found[0], sum(found[1:-1]), found[-1]) == (69 * 16, 1_581_760, 12_597_253)
    assert sum(found) == 14_180_117
    assert sum(counts(vdcnn9(CHARACTERS, 10, layers=layers))) == 14_190_362
    assert sum(counts(vdcnn9(CHARACTERS, 5, pooling="adaptive", layers=layers))) == 14_180_117


def test_parameters_with_shortcuts() -> None:
    assert sum(counts(vdcnn9(CHARACTERS, 5, shortcut=True))) == 14_353_941


@pytest.mark.parametrize(("builder", "further"), [(vdcnn17, (1, 1, 1, 1)), (vdcnn29, (4, 4, 1, 1))])
def test_parameters_of_the_deeper_ones(builder, further: tuple[int, ...]) -> None:
    """Each further block has two convolutions of its stage's width w: 2 (3 w² + w) weights, and 4 w of the norms."""
    added = sum(count * (6 * w * w + 6 * w) for count, w in zip(further, (64, 128, 256, 512), strict=True))
    assert sum(counts(builder(CHARACTERS, 5))) == 14_180_117 + added


@pytest.mark.parametrize(
    ("kind", "blocks", "convolutions"),
    [
        ("vdcnn9", (2, 1, 1, 1, 1), (2, 2, 2, 2, 2)),
        ("vdcnn17", (2, 2, 2, 2, 2), (2, 4, 4, 4, 4)),
        ("vdcnn29", (2, 5, 5, 2, 2), (2, 10, 10, 4, 4)),
    ],
)
def test_layers_and_stages(kind: str, blocks: tuple[int, ...], convolutions: tuple[int, ...]) -> None:
    """The depth in the name counts the convolutions of three, as the authors do."""
    assert BACKBONES.facts(kind)["modality"] == "text"
    for reading, stages in (("blocks", blocks), ("convolutions", convolutions)):
        backbone = BACKBONES.get(kind)(CHARACTERS, 5, width=1, layers=reading)
        assert backbone.stages == stages
        assert len(backbone.layers) == sum(stages)
        wide = [m for part in parts(backbone) for m in part.modules() if isinstance(m, nn.Conv1d)]
        assert f"vdcnn{len(wide)}" == kind


@pytest.mark.parametrize("layers", ["blocks", "convolutions"])
def test_widths_double_and_texts_shrink(layers: str) -> None:
    backbone = vdcnn9(CHARACTERS, 5, width=2, layers=layers)
    values, shapes = torch.randint(69, (2, 1024)), []
    for layer in parts(backbone)[:-1]:
        values = layer(values)
        shapes.append(tuple(values.shape[1:]))
    ends = [sum(backbone.stages[: stage + 1]) - 1 for stage in range(5)]
    assert [shapes[end] for end in ends] == [(2, 1024), (2, 512), (4, 256), (8, 128), (16, 8)]
    assert shapes[0] == (16, 1024)
    assert backbone.to_vector(values).shape == (2, 16)


def by_hand(weights: list[Tensor], symbols: Tensor, width: int, shortcut: bool) -> Tensor:
    """VDCNN-9 in terms of weights: batch statistics, k-max one channel at a time."""
    left = list(weights)
    take = lambda count: [left.pop(0) for _ in range(count)]  # noqa: E731
    norm = lambda v, s, b: F.batch_norm(v, None, None, s, b, training=True)  # noqa: E731
    values = take(1)[0][symbols].transpose(1, 2)
    values = F.conv1d(values, *take(2), padding=1)
    for stage in range(4):
        before, first, second = values, take(4), take(4)
        values = norm(F.conv1d(values, *first[:2], padding=1), *first[2:]).relu()
        values = norm(F.conv1d(values, *second[:2], padding=1), *second[2:])
        if shortcut:
            values = values + (norm(F.conv1d(before, *take(1)), *take(2)) if stage else before)
        values = values.relu()
        if stage < 3:
            values = F.max_pool1d(values, 3, stride=2, padding=1)
    rows = [sorted(sorted(range(values.shape[2]), key=lambda t, c=c: -c[t])[:8]) for c in values.flatten(0, 1)]
    kept = torch.stack([c[row] for c, row in zip(values.flatten(0, 1), rows, strict=True)])
    values = kept.view(len(symbols), 8 * width * 8)
    for last in (False, False, True):
        values = F.linear(values, *take(2))
        values = values if last else values.relu()
    assert not left
    return values


@pytest.mark.parametrize(
    "options", [{}, {"shortcut": True}, {"layers": "convolutions"}], ids=["plain", "shortcut", "convolutions"]
)
def test_logits_are_those_of_a_network_written_by_hand(options: dict[str, object]) -> None:
    with global_stream(1, "trial"):
        network = nn.Sequential(*parts(vdcnn9(SHORT, 3, width=2, embedding=5, **options))).double().train()
    symbols = torch.randint(11, (4, 64), generator=torch.Generator().manual_seed(2))
    expected = by_hand(list(network.parameters()), symbols, 2, "shortcut" in options)
    torch.testing.assert_close(network(symbols), expected, rtol=1e-9, atol=1e-9)


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=12), st.integers(1, 3), st.booleans())
def test_k_max_keeps_the_largest_in_their_order(values: list[int], k: int, training: bool) -> None:
    (kept,) = KMaxPool(k).train(training)(torch.tensor([[values]], dtype=torch.float64))[0].tolist()
    assert sorted(kept) == sorted(sorted(values)[-k:])
    places = iter(values)
    assert all(value in places for value in kept)


def test_k_max_gives_the_gradient_to_what_it_kept() -> None:
    values = torch.tensor([[[1.0, 7.0, 3.0, 5.0]]], requires_grad=True)
    (KMaxPool(2)(values) * torch.tensor([10.0, 20.0])).sum().backward()
    assert values.grad.tolist() == [[[0.0, 10.0, 0.0, 20.0]]]


def test_windows_instead_of_the_largest() -> None:
    network = parts(vdcnn9(SHORT, 3, width=2, pooling="adaptive"))
    pool = network[-2][-1]
    assert pool(torch.arange(64.0).view(1, 1, 64)).tolist() == [[[7.0 + 8 * i for i in range(8)]]]


def test_shorter_texts_are_filled_with_padding() -> None:
    network = nn.Sequential(*parts(vdcnn9(SHORT, 3, width=2))).eval()
    symbols = torch.randint(1, 11, (2, 20))
    torch.testing.assert_close(network(symbols), network(F.pad(symbols, (0, 44))))


def test_padding_is_embedded_as_zero_and_stays_so() -> None:
    embedding, *_ = parts(vdcnn9(SHORT, 3, width=2))
    values = embedding(torch.zeros(1, 64, dtype=torch.int64))
    assert not values.any()
    values.sum().backward()
    assert not embedding.weight.grad.any()


def test_what_cannot_be_built() -> None:
    with pytest.raises(InputError, match="a shortcut spans two convolutions"):
        vdcnn9(SHORT, 3, shortcut=True, layers="convolutions")
    with pytest.raises(InputError, match="take at least 57"):
        vdcnn9(InputSpec("text", (56,), 11), 3)
    network = nn.Sequential(*parts(vdcnn9(InputSpec("text", (57,), 11), 3, width=1))).eval()
    assert network(torch.zeros(1, 57, dtype=torch.int64)).shape == (1, 3)


def test_convolutions_are_drawn_as_he_does() -> None:
    with global_stream(1, "trial"):
        layers = parts(vdcnn9(CHARACTERS, 5, width=16, shortcut=True))[1:-1]
    for convolution in (part for layer in layers for part in layer.modules() if isinstance(part, nn.Conv1d)):
        fan_in = convolution.in_channels * convolution.kernel_size[0]
        assert convolution.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.15)


def test_a_builder_makes_a_fresh_module_each_time() -> None:
    for builder in vdcnn9(SHORT, 3, width=2).layers:
        first, second = builder(), builder()
        pointers = [{p.data_ptr() for p in module.parameters()} for module in (first, second)]
        assert pointers[0].isdisjoint(pointers[1])
        assert not set(first.modules()) & set(second.modules())


@given(st.integers(0, 2**32 - 1))
def test_of_equal_values_a_student_keeps_the_earlier_ones(seed: int) -> None:
    """Padding gives many equal values, and rectifiers give many zeros."""
    values = torch.randint(3, (2, 3, 40), generator=torch.Generator().manual_seed(seed)).float()
    pooled = KMaxPool(8).eval()(values).flatten(0, 1).tolist()
    for row, kept in zip(values.flatten(0, 1).tolist(), pooled, strict=True):
        places = sorted(range(40), key=lambda place: (-row[place], place))[:8]
        assert kept == [row[place] for place in sorted(places)]
