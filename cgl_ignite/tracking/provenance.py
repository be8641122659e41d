"""What a run was started by: the command or script, and the commit of the repository in the current folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

__all__ = ["ask_git", "provenance"]

GIT_SECONDS = 10.0
COMMANDS = "cgl", "__main__.py"
VERBS_WITH_PIPELINE = "run", "compare"


def provenance() -> dict[str, str]:
    """Return the tags from which MLflow fills its columns 'Source' and 'Version'.

    The command is given without its options, which are recorded as parameters and may hold an address with a password.
    """
    tags = {"mlflow.source.name": _command(sys.argv), "mlflow.source.type": "LOCAL"}
    if commit := ask_git("rev-parse", "HEAD"):
        tags["mlflow.source.git.commit"] = commit
    return tags


def ask_git(*question: str, folder: Path | None = None) -> str:
    """Return what git says of a folder, or the current one; empty if it is no repository, or there is no git."""
    command = ["git", *question]
    try:
        asked = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def _command(arguments: list[str]) -> str:
    """Name what was started.

    Example:
        >>> _command(["/usr/bin/cgl", "run", "--quiet", "digits.toml", "--set", "run.epochs=2"])
        'cgl run digits.toml'
        >>> _command(["train.py", "--fast"])
        'train.py'
    """
    program, *rest = arguments or [""]
    if Path(program).name not in COMMANDS or rest[:1] not in ([verb] for verb in VERBS_WITH_PIPELINE):
        return program
    pipelines = [argument for argument in rest[1:] if argument.endswith(".toml")]
    return " ".join(["cgl", rest[0], *pipelines[:1]])
