"""How much faster several processes train a pool than one, and how long they wait for each other."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from cgl_ignite.bench.figures import ratio, summary
from cgl_ignite.bench.passes import repetitions
from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import values
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.distributed.limits import refuse_undivided
from cgl_ignite.distributed.peers import Peers, joined
from cgl_ignite.errors import CglError, RunFailed
from cgl_ignite.handlers.interruption import Interruption
from cgl_ignite.pipeline.assemble import Parts, assemble, build_step
from cgl_ignite.pipeline.data import RunData, read_data
from cgl_ignite.pipeline.device import cpu_threads, find_device
from cgl_ignite.seeding import stream

__all__ = ["main", "measure_processes"]

WARM_UP = 2
MOST_ITERATIONS = 50


def measure_processes(pipeline: Pipeline, processes: int, rounds: int, iterations: int) -> dict[str, Any]:
    """Train a pool in turns in one process and in all of them, and return the milliseconds of an iteration.

    While one process trains alone, the others wait, so that both see the same machine.

    Raises:
        InputError: the pipeline cannot be divided.
        RunFailed: the processes did not come to their end.
    """
    refuse_undivided(pipeline, pipeline.method.students, processes)
    with tempfile.TemporaryDirectory() as folder:
        task, found = Path(folder, "task.json"), Path(folder, "found.json")
        tree = {"paths": sys.path, "pipeline": values(pipeline), "rounds": rounds, "iterations": iterations}
        task.write_text(json.dumps(tree))
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        command = [*start, "-m", "cgl_ignite.bench.processes", str(task), str(found)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            faults = [line for line in done.stderr.splitlines() if line.startswith("error: ")] or ["no message"]
            raise RunFailed(f"the processes that are measured did not come to their end ({faults[0]})")
        result: dict[str, Any] = json.loads(found.read_text())
    return result


def main(task: str, found: str) -> None:
    """Measure as one of several processes; the first one writes what is found."""
    tree = json.loads(Path(task).read_text())
    sys.path.extend(path for path in tree["paths"] if path not in sys.path)
    try:
        import_module("cgl_ignite.bench.synthetic")
        pipeline = load_pipeline(tree["pipeline"])
        with joined() as peers, cpu_threads(pipeline.run.threads):
            result = _measured(pipeline, peers, tree["rounds"], tree["iterations"])
            if peers.first:
                Path(found).write_text(json.dumps(result))
    except CglError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


def _measured(pipeline: Pipeline, peers: Peers, rounds: int, iterations: int) -> dict[str, Any]:
    device = find_device(pipeline.run.device)
    peers.use(device)
    data = peers.in_turn(lambda: read_data(pipeline))
    alone, together = (_trainer(pipeline, data, device, each) for each in (None, peers))
    parts, step = together
    once = _timed(step, device, 1)[0]
    iterations = iterations or int(peers.agree([repetitions(once, MOST_ITERATIONS)])[0])
    found: list[tuple[float, ...]] = []
    for _ in range(WARM_UP + rounds):
        peers.part()
        single = _timed(alone[1], device, iterations) if peers.first else (1.0, 1.0)
        peers.part()
        before = peers.waited
        several = _timed(step, device, iterations)
        found.append((*single, *several, (peers.waited - before) / iterations))
    return _figures(pipeline, parts, peers.size, iterations, [[1e3 * one for one in each] for each in found[WARM_UP:]])


def _figures(
    pipeline: Pipeline, parts: Parts, processes: int, iterations: int, found: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Summarise rounds of: one process, its processor time, all processes, processor time of the first, waiting."""
    one, one_cpu, several, several_cpu, waiting = map(list, zip(*found, strict=True))
    size = sum(weight.nbytes for weight in parts.pool.parameters() if weight.requires_grad)
    return {
        "processes": processes,
        "students": pipeline.method.students,
        "batch_size": pipeline.optim.batch_size,
        "reduce": "ordered" if parts.ordered else "fast",
        "device": str(find_device(pipeline.run.device)),
        "threads": torch.get_num_threads(),
        "iterations_per_round": iterations,
        "gradient_mib": size / 2**20,
        "milliseconds": {"one process": summary(one), "all processes": summary(several)},
        "one_over_all": ratio(one, several),
        "one_over_all_cpu": ratio(one_cpu, several_cpu),
        "waiting_share": ratio(waiting, several),
        "rounds": {
            "one process": one,
            "all processes": several,
            "waiting": waiting,
            "one process, processor time": one_cpu,
            "first of all processes, processor time": several_cpu,
        },
    }


def _trainer(
    pipeline: Pipeline, data: RunData, device: torch.device, peers: Peers | None
) -> tuple[Parts, Callable[[], object]]:
    """Build the training step of one process, or of one of several, and return what does an iteration."""
    seed = pipeline.seeds[0]
    parts = assemble(pipeline, data, seed, device, Interruption(), peers=peers)
    parts.pool.route(parts.routing.sample(stream(seed, "paths")), parts.subsets.group_of, pipeline.method.statistics)
    step, batches, numbers = build_step(pipeline, parts), parts.batches.stream(0), count(1)

    def iterate() -> object:
        number = next(numbers)
        state = SimpleNamespace(iteration=number, imitated=parts.choice.at(seed, number), ramp=1.0)
        return step(SimpleNamespace(state=state), next(batches))  # type: ignore[arg-type]

    return parts, iterate


def _timed(work: Callable[[], object], device: torch.device, times: int) -> tuple[float, float]:
    """Return the seconds that something takes, done so often, and those that this process computes meanwhile."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    since, computed = time.perf_counter(), time.process_time()
    for _ in range(times):
        work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return (time.perf_counter() - since) / times, (time.process_time() - computed) / times


if __name__ == "__main__":
    main(*sys.argv[1:])
