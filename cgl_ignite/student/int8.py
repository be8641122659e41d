"""A student in int8: its ONNX program, quantised after training by ONNX Runtime.

The multiplications of convolutions, linear layers and attention's projections, and the tables of embeddings, are
quantised (static quantisation, weights per channel). The ranges of activations are their smallest and largest values
over training rows. Normalisation, sums, softmax and products of two activations stay in float32.

Weights take 7 of the 8 bits: x86 processors without VNNI add pairs of products in 16 bits, which 8 bits overflow, so
that the same file would answer otherwise there.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from cgl_ignite.data import Examples, Splits, choose_stratified
from cgl_ignite.seeding import stream
from cgl_ignite.student.card import Card
from cgl_ignite.student.onnx import INPUTS, finish, read
from cgl_ignite.student.program import refusal, silent
from cgl_ignite.student.quantisation import Quantisation
from cgl_ignite.student.score import judge, logits, ready

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["quantise"]

CALIBRATION_ROWS = 256
_ROWS_AT_ONCE = 32
_WEIGHTED = "Conv", "Gemm", "MatMul", "Gather"
_QUANTISED = *_WEIGHTED, "Relu"
"""Operations whose inputs and outputs are quantised; Relu, as it lies between two others."""


def quantise(content: bytes, student: nn.Module, card: Card, splits: Splits) -> tuple[bytes, Card]:
    """Quantise the program of a student, and measure it beside the one in float32 on the holdout.

    Args:
        content: of the file in float32.
        student: from pixels or token ids to logits.
        card: of the student.
        splits: the data of its run.

    Returns:
        The content of the file in int8, and the card in it, which says what was measured.

    Raises:
        InputError: a program that ONNX Runtime cannot quantise.
        RunFailed: memory or disk space that is short.
    """
    rows = _calibration_rows(splits.train, card.seed)
    with TemporaryDirectory() as folder:
        before, after = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        before.write_bytes(content)
        model = _quantised(before, Path(folder) / "quantised.onnx", rows, card)
        after.write_bytes(finish(model, student, card))
        expected, found = (_answers(path, splits.holdout) for path in (before, after))
    measured = Quantisation(
        calibration_rows=len(rows),
        holdout_rows=len(splits.holdout),
        float_accuracy=judge(expected, splits.holdout.labels, card.labelled).accuracy,
        accuracy=judge(found, splits.holdout.labels, card.labelled).accuracy,
        difference=float((found - expected).abs().max()),
        logit=float(expected.abs().max()),
        float_size=len(content),
        size=0,
    )
    return _with_size(model, student, card, measured)


def _with_size(model: Any, student: nn.Module, card: Card, measured: Quantisation) -> tuple[bytes, Card]:
    """Return the content of a file whose card tells the size of the file, and the card."""
    while True:
        told = card.model_copy(update={"quantised": measured})
        content = finish(model, student, told)
        if len(content) == measured.size:
            return content, told
        measured = measured.model_copy(update={"size": len(content)})


def _calibration_rows(train: Examples, seed: int) -> Examples:
    """Choose training rows at random, every class with its share."""
    if len(train) <= CALIBRATION_ROWS:
        return train
    return train.take(choose_stratified(train.targets.cpu(), CALIBRATION_ROWS, stream(seed, "calibration rows")))


def _answers(path: Path, examples: Examples) -> Tensor:
    return logits(read(path, "cpu")[0], examples.inputs)


def _quantised(source: Path, target: Path, rows: Examples, card: Card) -> Any:
    """Quantise a program, and return it as what ``onnx`` makes of a file.

    The preprocessing of ONNX Runtime is left out: PyTorch has folded constants and batch normalisation and inferred
    shapes when it wrote the program.

    Raises:
        InputError: it cannot be quantised.
        RunFailed: memory or disk space that is short.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches = _batches(rows)

        def get_next(self) -> dict[str, NDArray[Any]] | None:
            return next(self._batches, None)

    try:
        with warnings.catch_warnings(), _silent_root():
            warnings.simplefilter("ignore")
            quantize_static(
                source,
                target,
                Reader(),
                op_types_to_quantize=list(_QUANTISED),
                nodes_to_exclude=_without_weights(onnx.load(source).graph),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        return onnx.load(target)
    except Exception as error:
        told = f"ONNX Runtime cannot quantise the program of backbone {card.backbone.kind!r}"
        raise refusal(error, told, "write it in float32") from error


def _batches(rows: Examples) -> Iterator[dict[str, NDArray[Any]]]:
    for part in torch.arange(len(rows)).split(_ROWS_AT_ONCE):
        yield {INPUTS: ready(rows.take(part).inputs).numpy()}


def _without_weights(graph: Any) -> list[str]:
    """Name the multiplications and look-ups of a graph that have no weights, as those within attention."""
    from onnx import TensorProto

    weights = {each.name for each in graph.initializer if each.data_type == TensorProto.FLOAT}
    return [node.name for node in graph.node if node.op_type in _WEIGHTED and not weights.intersection(node.input)]


@contextmanager
def _silent_root() -> Iterator[None]:
    """Keep back what a library logs through the root logger, and the handler that its first use adds."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    try:
        with silent(root):
            yield
    finally:
        root.handlers[:] = handlers
