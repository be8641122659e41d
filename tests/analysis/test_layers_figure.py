"""The picture of a cut names every operation that computes something once, in its layer."""

from __future__ import annotations

from matplotlib.patches import Rectangle

from cgl_ignite.analysis.canvas import as_png
from cgl_ignite.analysis.layers_figure import KINDS, OTHER, CutLayer, layers_figure
from cgl_ignite.backbones.module import module
from cgl_ignite.pool import modular_layers
from cgl_ignite.pool.cost import measure_layers
from cgl_ignite.spec import InputSpec

SPEC = InputSpec("image", (3, 8, 8))
BLOCK = ["Conv2d", "BatchNorm2d", "ReLU"]


def test_operations_of_a_network_are_told_in_their_order() -> None:
    cut = module(SPEC, 5, build="tests.networks.Residual", layers=("blocks.1", "blocks.2"))
    assert [[name for _, name in layer] for layer in cut.operations] == [
        [*BLOCK, *BLOCK, "add"],
        [*BLOCK, "add"],
        [*BLOCK, "add", "mean", "Dropout", "reshape"],
        ["Linear"],
    ]
    assert [module for module, _ in cut.operations[0]][:6] == ["stem"] * 3 + ["blocks.0"] * 3


def test_the_picture_holds_all_of_them() -> None:
    cut = module(SPEC, 5, build="tests.networks.Residual", layers=3)
    costs = measure_layers(modular_layers(cut), SPEC)
    layers = [
        CutLayer(each, cost.parameters, cost.forward, cost.output)
        for each, cost in zip(cut.operations, costs, strict=True)
    ]
    figure = layers_figure(layers, "a network")
    (axes,) = figure.axes
    texts = [text.get_text() for text in axes.texts]
    for layer in layers:
        assert f"{layer.parameters:,}" in texts
        assert f"{layer.multiply_adds:,}" in texts
        assert "\N{DOWNWARDS ARROW} " + " x ".join(map(str, layer.output)) in texts
    expected = [name for layer in layers for _, name in layer.operations]
    assert [text for text in texts if text in set(expected)] == expected
    assert [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert as_png(figure).startswith(b"\x89PNG")


def test_checks_of_the_form_are_left_out() -> None:
    block = ["dim", "eq", "_assert", "LayerNorm", "MultiheadAttention", "getitem", "getitem", "add"]
    layer = CutLayer([("block", name) for name in block], 1, 1, (2,))
    (axes,) = layers_figure([layer], "a network").axes
    shown = [text.get_text() for text in axes.texts if text.get_text() in block]
    assert shown == ["LayerNorm", "MultiheadAttention", "add"]


def test_a_long_line_is_wrapped_and_unknown_operations_are_grey() -> None:
    layer = CutLayer([("body", "Conv2d")] * 40 + [("body", "roll")], 1, 1, (2,))
    (axes,) = layers_figure([layer], "a network").axes
    chips = [text for text in axes.texts if text.get_text() in ("Conv2d", "roll")]
    assert len(chips) == 41
    assert len({text.get_position()[1] for text in chips}) == 4
    assert max(text.get_position()[0] for text in chips) < 8.9
    colours = {patch.get_facecolor() for patch in axes.patches}
    from matplotlib.colors import to_rgba

    assert {to_rgba(OTHER), to_rgba(KINDS["convolution, linear layer"][0])} <= colours
