"""How much memory training really takes, in a process of its own, beside what ``cgl show`` predicts."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil
import torch

from cgl_ignite.bench.figures import peak_mib
from cgl_ignite.bench.passes import PlannedPass, ready
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.data import Batch
from cgl_ignite.errors import CglError, InputError, RunFailed
from cgl_ignite.pipeline.assemble import Parts
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.pipeline.forecast import forecast

__all__ = ["main", "measure_memory"]

MIB = 2**20


def measure_memory(pipeline: Pipeline) -> dict[str, Any]:
    """Train two iterations of full-size batches in a fresh process and tell by how much it has grown.

    Texts have their maximum length. The weights of the pool are kept once more, as those of the selected epoch are.
    The program, what PyTorch loads once, and the data do not count.

    Raises:
        RunFailed: the process did not come to its end.
    """
    task = {"paths": sys.path, "pipeline": values(pipeline)}
    command = [sys.executable, "-m", "cgl_ignite.bench.memory"]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=False)
    if done.returncode == InputError.exit_code:
        raise InputError(done.stderr.strip())
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunFailed(f"the process that measures memory ended with code {done.returncode}: {last}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure the pipeline on stdin and print what is found as one JSON object."""
    task = json.loads(sys.stdin.read())
    sys.path.extend(path for path in task["paths"] if path not in sys.path)
    try:
        import_module("cgl_ignite.bench.synthetic")
        found = grow(full_length(load_pipeline(task["pipeline"])))
    except CglError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(json.dumps(found) + "\n")


def grow(pipeline: Pipeline) -> dict[str, Any]:
    """Train in this process and tell its memory, predicted and measured, in MiB."""
    device = find_device(pipeline.run.device)
    with cpu_threads(pipeline.run.threads):
        data = read_data(pipeline)
        warm_up(pipeline, data)
        parts = ready(pipeline, data)
        measured = _watch(device)
        train(pipeline, parts)
        growth = measured(sum(weight.nbytes for weight in parts.pool.parameters()) / MIB)
    group_of, seed = parts.subsets.group_of, pipeline.seeds[0]
    told = forecast(pipeline, parts.routing, group_of, parts.costs, seed, device)
    predicted = (told.weights + told.kept) / MIB
    return {
        "device": str(device),
        "students": pipeline.method.students,
        "batch_size": pipeline.optim.batch_size,
        "batches_per_chunk": parts.batches_per_chunk,
        "predicted_mib": {"weights": told.weights / MIB, "activations": told.kept / MIB, "together": predicted},
        "measured_mib": growth,
        "measured_over_predicted": growth["growth"] / predicted,
    }


def train(pipeline: Pipeline, parts: Parts) -> Any:
    """Train two iterations; after the first the optimizer has its moments, and a copy of the weights is kept."""
    batch: Batch = next(parts.batches.stream(0))
    step = PlannedPass(pipeline, parts, batch, parts.optimizer)
    step(1)
    selected = {name: value.detach().clone() for name, value in parts.pool.state_dict().items()}
    step(2)
    return selected


def full_length(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with every text padded to the maximum length."""
    encoding = pipeline.data.encoding
    if "pad" not in encoding.option_names:
        return pipeline
    data = pipeline.data.model_copy(update={"encoding": encoding.model_copy(update={"pad": "full"})})
    return pipeline.model_copy(update={"data": data})


def warm_up(pipeline: Pipeline, data: RunData) -> None:
    """Train with the smallest batches and forget it, so that what PyTorch loads once is there."""
    optim = pipeline.optim.model_copy(update={"batch_size": 2})
    train(pipeline, ready(pipeline.model_copy(update={"optim": optim}), data))


def _watch(device: torch.device) -> Callable[[float], dict[str, float]]:
    """Note the memory that is taken now; what is returned tells the growth until then, with what was there before."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # the C library gives back what is free
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device) / MIB
        peak: Callable[[], float] = lambda: torch.cuda.max_memory_allocated(device) / MIB  # noqa: E731
    else:
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")  # forgets the peak so far
        before, peak = psutil.Process().memory_info().rss / MIB, peak_mib

    def tell(there: float) -> dict[str, float]:
        most = peak()
        return {"before": before - there, "peak": most, "growth": most - before + there}

    return tell


if __name__ == "__main__":
    main()
