from __future__ import annotations

import io
from itertools import count

from rich.console import Console
from rich.live import Live

from cgl_ignite.cli.reading import Reading
from cgl_ignite.progress import ProgressReport


def shown(*reports: ProgressReport, terminal: bool, seconds: float) -> str:
    """What stands on the screen after reports that come some seconds apart."""
    clock = count(0.0, seconds)
    file = io.StringIO()
    reading = Reading(Console(file=file, force_terminal=terminal, width=120), lambda: next(clock))
    for report in reports:
        reading(report)
    reading.close()
    return file.getvalue()


STEPS = [ProgressReport("encoding Yelp train", 1000 * n, n / 10) for n in range(1, 10)]


def test_without_a_terminal_there_is_a_line_now_and_then() -> None:
    lines = shown(*STEPS, terminal=False, seconds=5).splitlines()
    assert lines[0] == "encoding Yelp train: 3,000 rows, 300 rows/s, 30%, 0:00:23 left"
    assert len(lines) == 4


def test_a_terminal_gets_a_bar() -> None:
    text = shown(*STEPS, terminal=True, seconds=6)
    assert "encoding Yelp train" in text
    assert "9,000 rows, 188 rows/s, 90%, 0:00:05 left" in text


def test_what_is_done_within_a_second_is_not_shown() -> None:
    assert shown(*STEPS, terminal=True, seconds=0.1) == shown(*STEPS, terminal=False, seconds=0.1) == ""


def test_what_takes_seconds_each_has_no_rate() -> None:
    steps = [ProgressReport("flatness", n, n / 4, "of 4 runs") for n in range(3)]
    assert shown(*steps, terminal=False, seconds=12).splitlines() == [
        "flatness: 1 of 4 runs, 25%, 0:00:36 left",
        "flatness: 2 of 4 runs, 50%, 0:00:24 left",
    ]


def test_nobody_may_know_how_much_there_is() -> None:
    steps = [ProgressReport("learning pieces", 1000 * n, None) for n in range(4)]
    assert shown(*steps, terminal=False, seconds=6).splitlines() == ["learning pieces: 2,000 rows, 167 rows/s"]
    assert "3,000 rows, 167 rows/s" in shown(*steps, terminal=True, seconds=6)


def test_the_screen_of_a_run_is_left_alone() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    clock = count(0.0, 5.0)
    reading = Reading(console, lambda: next(clock))
    with Live("the run", console=console):
        for report in STEPS:
            reading(report)
    reading.close()
