"""From the figures of the suite to lines: each with its target, whether it is reached, and the arithmetic beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cgl_ignite.analysis.canvas import ACCENT, INK, MUTED, SECOND, headline, new_figure, styled
from cgl_ignite.bench.figures import ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Verdict", "lines_of", "markdown", "suite_figure"]

PASS_OVER_FLOOR, TOGETHER_OVER_ALONE, FLAT, RECORDS = 1.15, 0.90, 1.10, 0.01
MEMORY = {"cpu": 0.30, "cuda": 0.15}
"""How far the memory of a training may be from what is predicted."""


class Verdict(NamedTuple):
    """One figure and what is asked of it.

    Attributes:
        part: of the suite.
        what: is measured.
        value: its median, with the interval where there is one.
        target: the most it may be.
        least: the least it may be, where it must not be too small either.
        arithmetic: the same ratio of multiply-adds.
        judged: which end is held against the target.
        unit: of the value; none for a ratio.
        note: what else one has to know.
    """

    part: str
    what: str
    value: Mapping[str, float]
    target: float | None = None
    least: float | None = None
    arithmetic: float | None = None
    judged: Literal["low", "median"] = "median"
    unit: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        value = self.value[self.judged]
        return value <= self.target and (self.least is None or value >= self.least)


def lines_of(parts: Mapping[str, Any]) -> list[Verdict]:
    """Return the lines of all parts that were measured."""
    readers: dict[str, Callable[[Any], Iterator[Verdict]]] = {
        "baseline": _baseline,
        "cgl": _cgl,
        "floor": _floor,
        "evaluation": _evaluation,
        "memory": _memory,
        "precision": _precision,
        "growth": _growth,
        "published": _published,
        "machinery": _machinery,
    }
    return [line for part, read in readers.items() if part in parts for line in read(parts[part])]


def _single(value: float) -> dict[str, float]:
    return {"median": value}


def _setting(row: Mapping[str, Any]) -> str:
    return f"batch {row['batch_size']}, {row['threads']} threads, {row['clock']} clock"


def _baseline(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        value, note = row["trainer_over"]["bare loop"], _setting(row)
        yield Verdict(
            "baseline", f"trainer / bare loop, {row['title']}", value, row["target"], None, 1.0, "low", "", note
        )


def _cgl(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        times = {name: row["milliseconds"][name]["median"] for name in row["trainer_over"] if "padded" not in name}
        fastest = min(times, key=lambda name: times[name])
        work = row["multiply_adds"]
        yield Verdict(
            "cgl",
            f"trainer / students in a loop, {row['title']}",
            row["trainer_over"][fastest],
            row["target"],
            arithmetic=work["trainer"] / work["bare loop"],
            note=f"{_setting(row)}, against '{fastest}'",
        )


def _floor(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        value, note = row["pass_over_floor"], _setting(row)
        yield Verdict(
            "floor", f"planned pass / floor, {row['title']}", value, PASS_OVER_FLOOR, arithmetic=1.0, note=note
        )


def _evaluation(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        together, alone = row["rounds"].values()
        yield Verdict(
            "evaluation",
            f"all students at once / one by one, {row['title']}",
            ratio(together, alone),
            TOGETHER_OVER_ALONE,
            arithmetic=row["arithmetic"]["as given"],
            note=f"{sum(row['rows'])} rows, {row['threads']} threads, {row['clock']} clock",
        )


def _memory(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        far = MEMORY[row["device"].split(":")[0]]
        measured, predicted = row["measured_mib"]["growth"], row["predicted_mib"]["together"]
        yield Verdict(
            "memory",
            f"measured / predicted, {row['title']}",
            _single(row["measured_over_predicted"]),
            1 + far,
            1 - far,
            note=f"batch {row['batch_size']}, {measured:,.0f} / {predicted:,.0f} MiB",
        )


def _precision(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        value, note = row["bfloat16_over_float32"], _setting(row)
        yield Verdict("precision", f"bfloat16 / float32, {row['title']}", value, note=note)


def _growth(record: Mapping[str, Any]) -> Iterator[Verdict]:
    flat = record.get("flat")
    if flat is None:
        return
    few, many = flat["students"]
    what = f"{many} students / {few}, CGL that imitates 2, {record['model']}"
    yield Verdict(
        "growth", f"time of a sample, {what}", flat["time"], FLAT, None, flat["arithmetic"], note=_setting(record)
    )
    yield Verdict("growth", f"parameters, {what}", _single(flat["parameters"]), 1.0, 1.0)
    if memory := flat.get("memory"):
        peaks = " / ".join(f"{memory[str(students)]['peak_mib']:,.0f}" for students in (many, few))
        note = f"{peaks} MiB; what training adds: {memory['growth']:.3f}"
        yield Verdict(
            "growth", f"peak memory, {what}", _single(memory["peak"]), FLAT, None, flat["kept_bytes"], note=note
        )


def _published(rows: Sequence[Mapping[str, Any]]) -> Iterator[Verdict]:
    for row in rows:
        work = row["multiply_adds"]
        yield Verdict(
            "published",
            f"trainer / published code, {row['title']}",
            row["trainer_over_published"],
            arithmetic=work["trainer"] / work["published"],
            note=f"{_setting(row)}, {row['loaders']} loaders with {row['workers_per_loader']} workers that compute"
            f" {row['worker_milliseconds']:.1f} ms an iteration besides",
        )


def _machinery(parts: Mapping[str, Any]) -> Iterator[Verdict]:
    if found := parts.get("augmentation"):
        rate = found["rows_per_second"]["together"]["median"]
        value, note = found["together_over_one_by_one"], f"{rate:,.0f} rows/s together"
        yield Verdict("machinery", "augmentation of a batch / of its images one by one", value, note=note)
    for case, found in parts.get("batches", {}).items():
        rate = found["rows_per_second"]["median"]
        value, note = found["batches_over_iteration"], f"{rate:,.0f} rows/s"
        yield Verdict("machinery", f"making of batches / iteration, {case}", value, note=note)
    for command, found in parts.get("start-up", {}).items():
        yield Verdict("machinery", command, found["seconds"], unit="s")
    if found := parts.get("records"):
        shares = found["share_of_a_minute"]
        note = ", ".join(f"{name} {100 * share:.2f} %" for name, share in shares.items() if name != "together")
        what = "tracking, checkpoint, progress / epoch of a minute"
        yield Verdict("machinery", what, _single(shares["together"]), RECORDS, note=note)
    if found := parts.get("checkpoint"):
        what = f"checkpoint, {found['students']} students, width {found['backbone']['width']}"
        yield Verdict("machinery", what, found["seconds"], unit="s", note=f"{found['megabytes']:,.0f} MB")


def markdown(record: Mapping[str, Any], lines: Sequence[Verdict]) -> str:
    """Write the lines as tables, one for each part."""
    hardware = record["hardware"]
    where = hardware["gpu"] or f"{hardware['processor']}, {hardware['cores']} cores"
    text = [
        "# Measurements",
        "",
        f"{record['date']}, commit {record['commit']}, PyTorch {record['versions']['torch']}, {where};"
        f" sizes: {record['sizes']}, {record['rounds']} rounds, {record['threads']} threads, {record['clock']} clock.",
        "",
        f"`{record['command']}`",
        "",
        "Medians of rounds taken in turns, with the interval of 95 % of their bootstrap resamples. `arithmetic` is the"
        " same ratio of multiply-adds.",
    ]
    for part in dict.fromkeys(line.part for line in lines):
        head = "| measured | figure | interval | target | | arithmetic | |"
        text += ["", f"## {part}", "", head, "| --- | --- | --- | --- | --- | --- | --- |"]
        text += [_row(line) for line in lines if line.part == part]
    for part, reason in record["failed"].items():
        text += ["", f"**{part} failed**: {reason}"]
    return "\n".join(text) + "\n"


def _row(line: Verdict) -> str:
    unit = f" {line.unit}" if line.unit else ""
    value, low, high = (line.value.get(name) for name in ("median", "low", "high"))
    between = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    asked = "" if line.target is None else f"<= {line.target:g}"
    if line.least is not None:
        asked = f"{line.least:g} to {line.target:g}" if line.least != line.target else f"{line.target:g}"
    reached = {None: "", True: "reached", False: "**not reached**"}[line.reached]
    arithmetic = "" if line.arithmetic is None else f"{line.arithmetic:.3f}"
    cells = (line.what, f"{value:.3f}{unit}", between, asked, reached, arithmetic, line.note)
    return f"| {' | '.join(cells)} |"


@styled
def suite_figure(lines: Sequence[Verdict]) -> Figure:
    """Draw every ratio with its interval, its target and its arithmetic."""
    shown = [line for line in lines if not line.unit]
    figure = new_figure(10, 1.2 + 0.3 * len(shown))
    axes = figure.subplots()
    for place, line in enumerate(shown):
        value = line.value["median"]
        color = {None: MUTED, True: ACCENT, False: SECOND}[line.reached]
        for asked in {line.target, line.least}:
            if asked is not None:
                axes.plot(asked, place, "|", color=INK, markersize=13, markeredgewidth=1.6)
        axes.plot([line.value.get("low", value), line.value.get("high", value)], [place] * 2, color=color, linewidth=2)
        axes.plot(value, place, "o", color=color, markersize=5)
        if line.arithmetic is not None:
            axes.plot(line.arithmetic, place, "D", color=MUTED, markersize=4, fillstyle="none")
    axes.set_yticks(range(len(shown)), [line.what for line in shown])
    axes.tick_params(axis="y", length=0, labelcolor=INK, labelsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.axvline(1, color=MUTED, linewidth=0.8)
    axes.grid(visible=True, axis="x")
    detail = "median and 95 % interval, blue: target reached, orange: missed; bar: target; diamond: multiply-adds"
    headline(axes, "Ratios of the suite", detail)
    return figure
