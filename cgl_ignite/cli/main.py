"""The command ``cgl``: its verbs, and the one place where errors become messages and exit codes."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from cgl_ignite import __version__
from cgl_ignite.cli.processes import refuse_processes
from cgl_ignite.cli.surroundings import ensure_home, prepared
from cgl_ignite.errors import CglError, ConfigError, InputError, Shortage, escaped_lines, nearest, shortage

__all__ = ["VERBS", "cgl"]

VERBS: dict[str, tuple[str, str]] = {
    "run": ("cgl_ignite.cli.run:run", "Train the students of a pipeline and test the selected one."),
    "compare": ("cgl_ignite.cli.compare:compare", "Train several methods on the same data and compare them."),
    "check": ("cgl_ignite.cli.check:check", "Report everything that is wrong with pipeline files."),
    "show": ("cgl_ignite.cli.show:show", "Show what a pipeline will do: all values, paths, sizes, costs."),
    "new": ("cgl_ignite.cli.new:new", "Write a pipeline file for a data set and a backbone."),
    "evaluate": ("cgl_ignite.cli.evaluate:evaluate", "Measure a trained student on a data set."),
    "predict": ("cgl_ignite.cli.predict:predict", "Name the classes of your files with a trained student."),
    "analyse": ("cgl_ignite.cli.analyse:analyse", "Examine finished runs: flatness, diversity, paths, calibration."),
    "report": ("cgl_ignite.cli.page:report", "Write a page about a comparison or runs, as HTML and Markdown."),
    "export": ("cgl_ignite.cli.export:export", "Save one trained student as a file of its own."),
    "bench": ("cgl_ignite.cli.bench:bench", "Measure how fast a pipeline trains and scores."),
    "ui": ("cgl_ignite.cli.ui:ui", "Browse the recorded runs with MLflow."),
    "data": ("cgl_ignite.cli.data:data", "List, fetch and verify data sets."),
}
"""Each verb with the ``module:attribute`` of its click command, and its line of help."""

_TRAINING = "run", "compare", "bench"
_LESS_MEMORY = {
    "evaluate": "fewer rows need less (--limit); on a GPU, the memory of the machine may be enough (--device cpu)",
    "predict": "fewer inputs at a time need less, and so does -o FILE, which answers them in batches",
    "analyse": "fewer rows need less (--rows); on a GPU, the memory of the machine may be enough (--device cpu)",
    "export": "weights (--format state or safetensors) need less than a program; else free some, and export it again",
}
"""What helps where memory is short, by verb; another one needs more of it."""


class _Failure(click.ClickException):
    """A :class:`CglError` on its way out: one message, its exit code, no traceback."""

    exit_code: int  # type: ignore[misc]

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def show(self, file: Any = None) -> None:
        """Write the message to stderr, with ``error:`` in front."""
        click.secho("error: ", fg="red", nl=False, err=True)
        click.echo(escaped_lines(self.message), err=True)


class _Verbs(click.Group):
    """A group whose verbs are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command of a verb."""
        if name not in VERBS:
            return None
        module, _, attribute = VERBS[name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command with streams that take any text."""
        with prepared():
            return super().main(*args, **kwargs)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is meant, or suggest the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in VERBS:
            hint = f"{nearest(args[0], VERBS)} (commands: {', '.join(VERBS)})"
            ctx.fail(f"there is no command {args[0]!r}{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs with their help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; what the user has to know becomes a message and an exit code."""
        try:
            if note := ensure_home():
                click.echo(f"note: {note}", err=True)
            return super().invoke(ctx)
        except ConfigError as error:
            raise _Failure(str(error), error.exit_code) from error
        except CglError as error:
            raise _Failure(_indented(str(error)), error.exit_code) from error
        except BrokenPipeError:
            raise
        except click.exceptions.Exit:
            raise
        except click.ClickException as error:
            error.message = escaped_lines(error.message)  # type: ignore[misc]
            raise
        except (OSError, RuntimeError, MemoryError) as error:
            missing = shortage(error)
            if missing is None and not isinstance(error, OSError):
                raise
            told = str(error) if missing is None else _remedied(missing, ctx.invoked_subcommand)
            raise _Failure(_indented(told), CglError.exit_code) from error
        except SystemExit as error:  # click ends otherwise
            if isinstance(error.__context__, BrokenPipeError):  # so ends rich if nobody reads on
                raise
            text = f"a plugin has ended the program (SystemExit: {error})"
            raise _Failure(text, InputError.exit_code) from error
        except KeyboardInterrupt:
            raise _Failure("interrupted", 130) from None


def _remedied(missing: Shortage, verb: str | None) -> str:
    """Say what was short, and what helps where a verb was called."""
    if verb in _TRAINING:
        return missing.in_training()
    return missing.remedied(_LESS_MEMORY.get(str(verb), "free some, and try again"), "try again")


def _indented(message: str) -> str:
    """Indent the further lines of a message, so that no name with a new line in it passes for another message."""
    return message.replace("\n", "\n  ")


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def cgl(ctx: click.Context) -> None:
    """Train several students together and keep the best one.

    Start with: cgl run pipelines/digits_resnet.toml
    """
    refuse_processes(ctx.invoked_subcommand)
