"""How a run is found: by its settings, to go on with it, or by what a person says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from cgl_ignite.catalogue import load_pipeline
from cgl_ignite.config.dump import DEFAULTS, fingerprint
from cgl_ignite.config.schema import Pipeline
from cgl_ignite.errors import InputError
from cgl_ignite.pipeline.folder import RunFolder, read_run_folder, still_busy

__all__ = ["all_runs", "find_run", "finished_run", "take_run", "unfinished_run"]


def unfinished_run(
    runs: Path,
    pipeline: Pipeline,
    seed: int,
    data: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    **tags: str,
) -> RunFolder | None:
    """Find the run that ``--resume`` goes on with: the newest unfinished one, else the newest of all.

    ``data``, ``files``: only one that has read these; ``tags``: only one that was started with these.

    Raises:
        InputError: that run is being worked on by another process.
    """
    tagged = (run for run in all_runs(runs) if tags.items() <= run.facts.items())
    same = [
        run for run in _alike(tagged, pipeline, seed, data, files) if run.result.exists() or run.checkpoint.exists()
    ]
    found = next((run for run in same if not run.complete), same[0] if same else None)
    if found is not None and not found.complete and found.alive:
        raise InputError(still_busy(found))
    return found


def take_run(
    held: ExitStack,
    runs: Path,
    pipeline: Pipeline,
    seed: int,
    data: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    **tags: str,
) -> RunFolder | None:
    """Find the run to go on with, as :func:`unfinished_run`, and keep other processes out of it while ``held``."""
    found = unfinished_run(runs, pipeline, seed, data, files, **tags)
    return found if found is None or found.complete else held.enter_context(found.locked())


def finished_run(
    runs: Path,
    pipeline: Pipeline,
    seed: int,
    data: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
) -> RunFolder | None:
    """Find the newest finished run of any comparison with these numbers, data and files."""
    compared = (run for run in all_runs(runs) if "comparison" in run.facts)
    return next((run for run in _alike(compared, pipeline, seed, data, files) if run.complete), None)


def find_run(runs: Path, which: str) -> RunFolder:
    """Find a run by id, by the beginning of its id, by ``latest``, by its folder or by its checkpoint.

    Raises:
        InputError: no run, or more than one.
    """
    path = Path(which)
    place = path.parent if path.is_file() else path
    if (place / "run.json").is_file():
        return read_run_folder(place)
    known = list(all_runs(runs))
    if not known:
        raise InputError(f"no run {which!r}: there are no runs in {runs}")
    if which == "latest":
        return known[0]
    found = [run for run in known if which and run.run_id.startswith(which)]
    if len(found) != 1:
        many = f"{len(found)} runs begin with it" if found else f"the newest run in {runs} is {known[0].run_id}"
        raise InputError(f"no run {which!r}: {many}; a run is given by its id, 'latest', its folder or its checkpoint")
    return found[0]


def all_runs(runs: Path, warn: Callable[[str], None] | None = None) -> Iterator[RunFolder]:
    """Yield every run of a folder, newest first; a damaged description is passed over, and ``warn`` is told."""
    found = [_described(path.parent, warn) for path in sorted(runs.glob("*/run.json"))]
    yield from sorted(filter(None, found), key=lambda run: -int(run.facts["started"]))


def _described(folder: Path, warn: Callable[[str], None] | None) -> RunFolder | None:
    try:
        return read_run_folder(folder)
    except InputError as error:
        if warn is not None:
            warn(f"{error}; this run is passed over")
        return None


def _alike(
    runs: Iterable[RunFolder],
    pipeline: Pipeline,
    seed: int,
    data: Mapping[str, str] | None,
    files: Mapping[str, str] | None,
) -> Iterator[RunFolder]:
    """Keep the runs that give the numbers of a pipeline with a seed."""
    for run in runs:
        if run.facts["seed"] == seed and run.has_read(data) and run.has_used(files) and _has_settings(run, pipeline):
            yield run


def _has_settings(run: RunFolder, pipeline: Pipeline) -> bool:
    """Whether a run trains what the pipeline says; one that began under other defaults is judged by its values."""
    if run.facts["fingerprint"] == fingerprint(pipeline):
        return True
    if run.facts.get("defaults") == DEFAULTS:
        return False
    with suppress(InputError):
        return fingerprint(load_pipeline(run.read_setting())) == fingerprint(pipeline)
    return False
