"""The record of a run: its journal and its folder, opened before the training and closed with its true status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from cgl_ignite.data import DataReport
from cgl_ignite.errors import CglError, Interrupted, RunFailed, shortage
from cgl_ignite.pipeline.active import RunContext
from cgl_ignite.pipeline.artifacts import keep_data, keep_setting
from cgl_ignite.pipeline.describe import run_info
from cgl_ignite.pipeline.folder import RunFolder, exclusive, start_run_folder
from cgl_ignite.tracking import Journal, Status

__all__ = ["recorded"]


@contextmanager
def recorded(
    context: RunContext, seed: int, again: RunFolder | None, checkpoint: dict[str, Any] | None, report: DataReport
) -> Iterator[tuple[Journal, RunFolder]]:
    """Open the record of a run, and end it with the status that is true: in the tracker, its folder, on the screen."""
    with ExitStack() as held:
        journal = _open_journal(context, seed, again, checkpoint)
        folder = again
        try:
            folder = again.working().in_group(context.group) if again else _new_folder(context, seed, journal, held)
            if again is None:
                keep_setting(context.pipeline, journal)
                keep_data(report, context.data.identity, journal)
            yield journal, folder
        except BaseException as error:
            stopped = isinstance(error, (Interrupted, KeyboardInterrupt))
            with suppress(OSError):
                _close(context, journal, folder, "KILLED" if stopped else "FAILED")
            if context.screen and isinstance(error, Interrupted):
                context.screen.interrupted()
            elif context.screen:
                context.screen.failed()
            if not isinstance(error, CglError) and (missing := shortage(error)):
                raise RunFailed(missing.in_training()) from error
            raise
        _close(context, journal, folder, "FINISHED")


def _close(context: RunContext, journal: Journal, folder: RunFolder | None, status: Status) -> None:
    """Note how a run ended; its folder knows it even if the record cannot be closed."""
    try:
        journal.close(status)
    except OSError as error:
        context.warn(f"tracking: the record of run {journal.run_id} is not closed: {error}")
    finally:
        if folder is not None:
            folder.note(status=status)


def _open_journal(
    context: RunContext, seed: int, again: RunFolder | None, checkpoint: dict[str, Any] | None
) -> Journal:
    info = run_info(context.pipeline, seed, context.group, again.facts if again else context.facts)
    if again and checkpoint:
        return Journal.resume(again.path, context.tracker, info, checkpoint["selector"]["judged"], context.warn)
    return Journal.create(context.runs, context.tracker, info, context.warn)


def _new_folder(context: RunContext, seed: int, journal: Journal, held: ExitStack) -> RunFolder:
    held.enter_context(exclusive(journal.folder, lambda: f"run {journal.run_id} is being worked on already"))
    return start_run_folder(journal.folder, context.pipeline, seed, **context.facts)
