"""Which kernels does an iteration run, how often, and what share of its time is each kind?

PyTorch's profiler watches whole training steps: passes, losses, backward pass, update. Kernels are the operators that
compute or move numbers; views and allocations are counted as overhead, together with what Python and autograd do
between them.

    python benchmarks/kernels.py digits-cgl cifar10-cgl --root DATA
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import torch
from overhead import CASES, find_pipeline
from torch.profiler import ProfilerActivity, profile

from cgl_ignite import CglError, Pipeline
from cgl_ignite.bench.figures import facts
from cgl_ignite.bench.passes import PlannedPass, ready, typical_batch
from cgl_ignite.data import data_root
from cgl_ignite.pipeline.device import cpu_threads, find_device

KINDS = {
    "convolutions and products": (
        "mkldnn_convolution", "cudnn_convolution", "convolution_backward", "addmm", "mm", "bmm", "_fused_sdp",
        "_scaled_dot_product", "_flash_attention", "mkldnn_linear",
    ),
    "normalisation": ("native_batch_norm", "cudnn_batch_norm", "native_layer_norm", "native_group_norm"),
    "activations and pooling": ("threshold_backward", "clamp_min", "gelu", "mean", "max_pool", "topk", "div"),
    "other sums and products": (
        "add", "add_", "sum", "sub", "mul", "addcmul", "rsqrt", "lerp", "embedding_dense_backward",
    ),
    "joining and copying": ("cat", "copy_", "index", "index_select", "gather", "scatter", "stack", "embedding"),
    "update": ("_fused_adam", "_fused_sgd"),
}  # fmt: skip
OVERHEAD = "views, allocations, Python"
JOINT = "_NormaliseNodes"
"""The normalisation of many nodes, which consists of sums and products."""
WARM_UP = 2


def kind_of(operator: str) -> str | None:
    """Name the kind of an operator of PyTorch; None for views, allocations and bookkeeping.

    Example:
        >>> kind_of("aten::native_batch_norm_backward"), kind_of("aten::add_"), kind_of("aten::as_strided")
        ('normalisation', 'other sums and products', None)
    """
    name = operator.removeprefix("aten::")
    stem = name.removesuffix("_").removesuffix("_backward")
    for kind, names in KINDS.items():
        if any(name == one or stem == one.removesuffix("_") or (len(one) > 8 and one in name) for one in names):
            return kind
    return None


def _around(event: Any) -> Iterator[Any]:
    """Yield what an event ran in, from the innermost."""
    while event.cpu_parent is not None:
        event = event.cpu_parent
        yield event


def measure(case: str, pipeline: Pipeline, iterations: int) -> dict[str, Any]:
    """Profile steps of one case; return counts and milliseconds per iteration by kind, and calls by the plan."""
    device = find_device(pipeline.run.device)
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    with cpu_threads(pipeline.run.threads):
        parts = ready(pipeline)
        planned = PlannedPass(pipeline, parts, typical_batch(parts.batches), parts.optimizer)
        for iteration in range(1, WARM_UP + 1):
            planned(iteration)
        with profile(activities=activities, acc_events=True) as seen:
            for iteration in range(WARM_UP + 1, WARM_UP + 1 + iterations):
                planned(iteration)
    counts: dict[str, float] = defaultdict(float)
    times: dict[str, float] = defaultdict(float)
    for event in seen.events():
        kind = kind_of(event.name)
        if kind and any(JOINT in outer.name for outer in _around(event)):
            kind = "normalisation"
        counts[kind or OVERHEAD] += 1 / iterations if kind else 0
        times[kind or OVERHEAD] += event.self_cpu_time_total / 1000 / iterations
    plans = [planned.plan(iteration) for iteration in range(WARM_UP + 1, WARM_UP + 1 + iterations)]
    return {
        "case": case,
        "device": str(device),
        "students": pipeline.method.students,
        "layers": len(parts.costs),
        "calls_of_plan": sum(len(calls) for plan in plans for calls in plan.layers) / iterations,
        "nodes_of_plan": sum(len(call.sources) for plan in plans for calls in plan.layers for call in calls)
        / iterations,
        "kernels": dict(counts),
        "milliseconds": dict(times),
    }


def show(result: dict[str, Any]) -> None:
    """Print one case as a Markdown table."""
    whole = sum(result["milliseconds"].values())
    print(f"\n{result['case']}: {result['nodes_of_plan']:.0f} nodes in {result['layers']} layers\n")
    print("| kind | kernels of an iteration | share of its time |\n| --- | --- | --- |")
    for kind, time in sorted(result["milliseconds"].items(), key=lambda item: -item[1]):
        print(f"| {kind} | {result['kernels'][kind]:.0f} | {time / whole:.1%} |")


@click.command()
@click.argument("cases", nargs=-1, required=True, type=click.Choice(CASES))
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the data sets (default: as cgl run).")
@click.option("--iterations", default=3, show_default=True, help="Iterations that are watched.")
@click.option("--threads", default=1, show_default=True, help="Threads of PyTorch.")
@click.option("--set", "changes", metavar="KEY=VALUE", multiple=True, help="Change the pipelines.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(
    cases: tuple[str, ...],
    root: Path | None,
    iterations: int,
    threads: int,
    changes: tuple[str, ...],
    output: Path | None,
) -> None:
    """Count the kernels of a training step."""
    results = []
    try:
        for case in cases:
            pipeline = find_pipeline(case, data_root(root), (f"run.threads={threads}", *changes))
            results.append(measure(case, pipeline, iterations))
            show(results[-1])
    except CglError as error:
        raise click.ClickException(str(error)) from None
    if output:
        record = {**facts(torch.device(results[0]["device"])), "cases": results}
        output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
