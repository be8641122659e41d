"""One run: assemble its parts, train them, hand over its result."""

from cgl_ignite.pipeline.folder import RunFolder, find_run
from cgl_ignite.pipeline.result import RunResult, read_result, summarise
from cgl_ignite.pipeline.session import run

__all__ = ["RunFolder", "RunResult", "find_run", "read_result", "run", "summarise"]
