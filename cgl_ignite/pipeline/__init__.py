"""One run: assemble its parts, train them, hand over its result."""

from cgl_ignite.pipeline.find import find_run
from cgl_ignite.pipeline.folder import RunFolder
from cgl_ignite.pipeline.result import RunResult, average_over_seeds, read_result
from cgl_ignite.pipeline.session import run

__all__ = ["RunFolder", "RunResult", "average_over_seeds", "find_run", "read_result", "run"]
