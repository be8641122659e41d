"""``python -m cgl_ignite``: the command ``cgl``."""

from cgl_ignite.cli.main import cgl

__all__: list[str] = []

if __name__ == "__main__":
    cgl(prog_name="cgl")
