"""How fast do methods train on a GPU, and what share of it do they use?

The real trainer runs with all its handlers on random inputs of the paper's shapes and batch sizes, in both precisions
and, where iterations repeat, from CUDA graphs; the Baseline and CGL also against a loop written by hand, once as it is
and once compiled. Every case tells milliseconds, samples per second, multiply-adds per second beside those of a large
matrix product, peak memory, and how many kernels keep the GPU busy for how long.

    python benchmarks/gpu.py --output benchmarks/results/gpu.json
    python benchmarks/gpu.py --tiny                     on any machine, to see that it runs
"""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple, cast

import click
import torch
from torch.profiler import ProfilerActivity, profile

from cgl_ignite import Pipeline, load_pipeline
from cgl_ignite.bench import bare
from cgl_ignite.bench.figures import facts, summary
from cgl_ignite.bench.passes import PlannedPass, ready, typical_batch
from cgl_ignite.bench.race import ONE_EPOCH, PADDED, WARM_UP, hold
from cgl_ignite.bench.synthetic import made_up
from cgl_ignite.data import Batch, Batches
from cgl_ignite.pipeline.device import find_device
from cgl_ignite.pipeline.forecast import forecast

PIPELINES = Path(__file__).resolve().parents[1] / "pipelines"
GPU = torch.device("cuda")
MIB = 2**20
LOOP = "bare loop"
OTHERS = ("batches alone", "bare loop, backward per student", PADDED)


class Network(NamedTuple):
    """A pipeline, what makes it fit for recordings, and what makes it tiny."""

    file: str
    replayed: tuple[str, ...] = ()
    tiny: tuple[str, ...] = ("optim.batch_size=2",)


NETWORKS = {
    "resnet18": Network("cifar100_resnet18.toml", tiny=("backbone.width=4", "optim.batch_size=4")),
    "vdcnn9": Network("yelp_vdcnn.toml", tiny=("optim.batch_size=2", "backbone.width=4")),
    "transformer": Network("imdb_transformer.toml", ("backbone.dropout=0.0",)),
}
METHODS = ("baseline", "dml", "one", "okddip", "cgl")
BFLOAT16 = "run.precision=bfloat16"
GRAPHS, LAUNCHED = "run.graphs=true", "run.graphs=false"
REGULAR = 'method.choose={kind="regular", size=2}'


class GpuCase(NamedTuple):
    """One training that is timed, and whether the loop by hand is timed beside it."""

    network: str
    method: str
    way: str
    changes: tuple[str, ...] = ()
    loop: bool = False

    @property
    def name(self) -> str:
        """The case in a word."""
        return f"{self.network} {self.method} {self.way}"


def cases() -> Iterator[GpuCase]:
    """Yield the cases, the most telling first."""
    for network in NETWORKS:
        for method in METHODS:
            yield GpuCase(network, method, "bfloat16", (BFLOAT16, LAUNCHED), loop=method in ("baseline", "cgl"))
    for network, setting in NETWORKS.items():
        for method in METHODS:
            repeats = (REGULAR,) if method == "cgl" else ()
            yield GpuCase(network, method, "graphs", (BFLOAT16, GRAPHS, *setting.replayed, *repeats))
    for network in NETWORKS:
        for method in ("baseline", "cgl"):
            yield GpuCase(network, method, "float32", (LAUNCHED,), loop=True)


def find_pipeline(case: GpuCase, *, tiny: bool) -> Pipeline:
    """Return the pipeline of a case on random inputs."""
    network = NETWORKS[case.network]
    changes = [*ONE_EPOCH, f"method.preset={case.method}", *case.changes]
    if tiny:
        changes = [change for change in changes if change != GRAPHS] + list(network.tiny)
    return made_up(load_pipeline(PIPELINES / network.file, changes))


def time_case(case: GpuCase, pipeline: Pipeline, rounds: int) -> dict[str, Any]:
    """Time the trainer, and the loop beside it if there is one; the memory is that of the trainer alone."""
    device = find_device(pipeline.run.device)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    race, parts = hold(pipeline, device, rounds + WARM_UP, 0, "wall", compare=False, leave_out=(*OTHERS, LOOP))
    peak = torch.cuda.max_memory_allocated() / MIB if device.type == "cuda" else None
    if case.loop:
        race, _ = hold(pipeline, device, rounds + WARM_UP, 0, "wall", compare=False, leave_out=OTHERS)
    times = {name: [1e3 * second for second in seconds[WARM_UP:]] for name, seconds in race.times.items()}
    planned = forecast(pipeline, parts.routing, parts.subsets.group_of, parts.costs, pipeline.seeds[0], device)
    rows = pipeline.optim.batch_size * (max(parts.subsets.group_of) + 1)
    milliseconds = {name: summary(values) for name, values in times.items()}
    typical = milliseconds["trainer"]["median"]
    return {
        **case._asdict(),
        "students": pipeline.method.students,
        "rows": rows,
        "iterations_per_round": race.iterations,
        "milliseconds": milliseconds,
        "samples_per_second": 1e3 * rows / typical,
        "multiply_adds": planned.multiply_adds,
        "without_sharing": planned.without_sharing,
        "tera_operations_per_second": 2 * planned.multiply_adds / typical / 1e9,
        "peak_mib": peak,
        "rounds": times,
    }


def busy(pipeline: Pipeline, iterations: int = 4) -> dict[str, Any]:
    """Tell how long the kernels of an iteration's passes and update run, how many they are, and which take longest."""
    parts = ready(pipeline)
    planned = PlannedPass(pipeline, parts, typical_batch(parts.batches), parts.optimizer)
    for number in range(1, 8):
        planned(number)
    cuda = next(parts.pool.parameters()).device.type == "cuda"
    wait: Callable[[], None] = torch.cuda.synchronize if cuda else lambda: None
    wait()
    since = time.perf_counter()
    for number in range(8, 8 + iterations):
        planned(number)
    wait()
    seconds = (time.perf_counter() - since) / iterations
    with profile(
        activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])], acc_events=True
    ) as seen:
        for number in range(8, 8 + iterations):
            planned(number)
        wait()
    kernels = [event for event in seen.events() if event.device_type.name == "CUDA"]
    spent: dict[str, float] = {}
    for event in kernels:
        spent[event.name] = spent.get(event.name, 0.0) + event.device_time_total / 1e3 / iterations
    return {
        "milliseconds": 1e3 * seconds,
        "kernels": len(kernels) / iterations,
        "busy_milliseconds": sum(spent.values()),
        "longest": dict(sorted(spent.items(), key=lambda item: -item[1])[:25]),
    }


def ceilings(size: int) -> dict[str, float]:
    """Measure a large matrix product in bfloat16, in TFLOP/s, and a copy on the device, in GB/s read and written."""
    left, right = (torch.randn(size, size, device=GPU, dtype=torch.bfloat16) for _ in range(2))
    block = torch.empty(2**30, device=GPU, dtype=torch.float32)
    target = torch.empty_like(block)
    product = _seconds(lambda: left @ right)
    copy = _seconds(lambda: target.copy_(block))
    return {"product_tflops": 2 * size**3 / product / 1e12, "copy_gb_per_second": 2 * block.nbytes / copy / 1e9}


def _seconds(work: Callable[[], object], times: int = 10) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    since = time.perf_counter()
    for _ in range(times):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - since) / times


def time_compiled(pipeline: Pipeline, rounds: int) -> dict[str, Any]:
    """Time the hand-written loop of one network, as it is and compiled, without the making of batches."""
    device, parts = find_device(pipeline.run.device), ready(pipeline)
    given = bare.Given.of(parts)._replace(batches=cast(Batches, Same(typical_batch(parts.batches))))
    times = {}
    for name, compiled in (("as it is", False), ("compiled", True)):
        since = time.perf_counter()
        loop = bare.plain_network(pipeline, given, pipeline.seeds[0], device, compiled=compiled)
        next(loop)
        first = time.perf_counter() - since
        seconds = [_seconds(partial(next, loop)) for _ in range(rounds)]
        times[name] = {"first_seconds": first, "milliseconds": summary([1e3 * second for second in seconds])}
    return times


class Same:
    """Gives the same batch for ever."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def stream(self, start: int) -> Iterator[Batch]:
        """Yield it."""
        return repeat(self.batch)


class Clock:
    """Tells the seconds so far, and whether there are any left."""

    def __init__(self, limit: float) -> None:
        self.limit, self.started = limit, time.perf_counter()

    def say(self, text: str) -> None:
        """Print a line with the time in front."""
        print(f"{time.perf_counter() - self.started:6.1f} s  {text}", flush=True)

    def is_over(self) -> bool:
        """Tell whether the time is used up."""
        return time.perf_counter() - self.started > self.limit


def attempt(record: dict[str, Any], name: str, clock: Clock, work: Callable[[], Any]) -> Any:
    """Do a part of the work; what fails, or has no time left, is noted and stops nothing else."""
    if clock.is_over():
        record["left_out"].append(name)
        return None
    try:
        return work()
    except Exception as error:  # noqa: BLE001  (told in the record, and by the exit code)
        record["failed"][name] = f"{type(error).__name__}: {error}"
        traceback.print_exc()
        return None


def line(found: dict[str, Any], peak: float | None) -> str:
    """Put a case into a line."""
    times = "  ".join(f"{name} {value['median']:.2f} ms" for name, value in found["milliseconds"].items())
    rate = found["tera_operations_per_second"]
    share = f" ({rate / peak:.0%})" if peak else ""
    name = f"{found['network']} {found['method']} {found['way']}"
    return f"{name:32} {times}  {found['samples_per_second']:,.0f}/s  {rate:.1f} T/s{share}  {found['peak_mib']} MiB"


@click.command()
@click.option("--tiny", is_flag=True, help="The smallest sizes, to see that it runs; no recordings.")
@click.option("--rounds", default=5, show_default=True, help="Rounds that count.")
@click.option("--seconds", default=600.0, show_default=True, help="Begin no case after this time.")
@click.option("--only", multiple=True, help="Only cases whose name contains this; may be repeated.")
@click.option("--compile", "compile_too", multiple=True, type=click.Choice(list(NETWORKS)), help="Compile it, too.")
@click.option("--output", type=click.Path(path_type=Path), help="JSON file for all figures.")
def main(
    tiny: bool, rounds: int, seconds: float, only: tuple[str, ...], compile_too: tuple[str, ...], output: Path | None
) -> None:
    """Time every method on a GPU."""
    logging.getLogger("ignite").setLevel(logging.CRITICAL)
    clock, device = Clock(seconds), find_device("auto")
    record: dict[str, Any] = {**facts(device), "left_out": [], "failed": {}, "cases": [], "busy": {}, "compiled": {}}
    if device.type == "cuda":
        record["ceilings"] = ceilings(1024 if tiny else 8192)
        clock.say(str(record["ceilings"]))
    peak = record.get("ceilings", {}).get("product_tflops")

    def keep() -> None:
        if output:
            output.write_text(json.dumps(record, indent=1) + "\n", "utf-8")

    for case in cases():
        if only and not any(part in case.name for part in only):
            continue
        pipeline = find_pipeline(case, tiny=tiny)
        if found := attempt(record, case.name, clock, partial(time_case, case, pipeline, rounds)):
            record["cases"].append(found)
            clock.say(line(found, peak))
        if case.way == "bfloat16" and case.method in ("baseline", "cgl"):
            record["busy"][case.name] = attempt(record, f"{case.name}, kernels", clock, partial(busy, pipeline))
        keep()
    for network in compile_too:
        case = GpuCase(network, "baseline", "bfloat16", (BFLOAT16,))
        work = partial(time_compiled, find_pipeline(case, tiny=tiny), rounds)
        record["compiled"][network] = attempt(record, f"{network} compiled", clock, work)
        clock.say(f"{network}: {record['compiled'][network]}")
        keep()
    clock.say(f"failed: {record['failed'] or 'nothing'}; left out: {record['left_out'] or 'nothing'}")
    if record["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
