"""The analyses that exist, and how several of them are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from cgl_ignite.analyses.base import ANALYSES, Finding, Inapplicable
from cgl_ignite.errors import InputError, choices

if TYPE_CHECKING:
    from cgl_ignite.analyses.subjects import Subject

__all__ = ["analyse", "check_options"]


def _made_by(module: str) -> Callable[..., Finding]:
    def made(subjects: Sequence[Subject], **options: Any) -> Finding:
        finding: Finding = import_module(module).examine(subjects, **options)
        return finding

    return made


ANALYSES.register(
    "flatness",
    help="accuracy lost by noise on the weights, and the largest eigenvalue of the Hessian",
    options=("sigma", "relative", "draws", "rows"),
)(_made_by("cgl_ignite.analyses.flatness"))
ANALYSES.register(
    "diversity",
    help="how alike the students of a run predict, and their layers",
    options=("rows",),
)(_made_by("cgl_ignite.analyses.diversity"))
ANALYSES.register(
    "paths",
    help="accuracy of all paths through the modules, trained or not",
    options=("sample", "rows"),
)(_made_by("cgl_ignite.analyses.paths"))
ANALYSES.register(
    "calibration",
    help="whether the selected student is right as often as it says",
    options=(),
)(_made_by("cgl_ignite.analyses.calibration"))
ANALYSES.register(
    "structures",
    help="whether tables of paths rank alike on two data sets",
    options=(),
)(_made_by("cgl_ignite.analyses.structures"))


def check_options(kinds: Sequence[str], given: Mapping[str, Any]) -> None:
    """Make sure that every option belongs to one of the chosen analyses.

    Raises:
        InputError: an unknown analysis, or an option that none of them takes.
    """
    chosen = {option for kind in kinds for option in ANALYSES.facts(kind)["options"]}
    for option in given:
        if option not in chosen:
            takers = [kind for kind in ANALYSES.kinds() if option in ANALYSES.facts(kind)["options"]]
            raise InputError(f"{option} belongs to the analysis {choices(takers)}, which is not asked for")


def analyse(
    subjects: Sequence[Subject],
    kinds: Sequence[str] = (),
    tell: Callable[[str], object] = lambda text: None,
    **options: Any,
) -> dict[str, Finding]:
    """Make analyses of finished runs; an option that is None has its default.

    Args:
        subjects: the runs (:func:`cgl_ignite.analyses.subjects.open_subjects`).
        kinds: names of analyses; without any, all that apply.
        tell: is told what comes next, and why an analysis is left out.
        options: of the analyses.

    Raises:
        InputError: an option out of range, or one that no chosen analysis takes; an analysis that was asked for and
            does not apply.
    """
    given = {name: value for name, value in options.items() if value is not None}
    check_options(kinds or ANALYSES.kinds(), given)
    findings = {}
    for kind in kinds or ANALYSES.kinds():
        tell(kind)
        taken = {name: given[name] for name in ANALYSES.facts(kind)["options"] if name in given}
        try:
            findings[kind] = ANALYSES.get(kind)(subjects, **taken)
        except Inapplicable as error:
            if kinds:
                raise
            tell(f"no {kind}: {error}")
    return findings
