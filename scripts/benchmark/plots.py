"""Draws the plots of a report: `python -m benchmark.plots REPORT.json FOLDER [--format svg|png]`.

It is a process of its own, so that the harness doesn't carry matplotlib while it measures. It prints the name of each
file that it has drawn, one a line.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .sections.broadcast import floor_seconds
from .sections.cold_start import FUNCTIONS
from .sections.posting import TRANSPORTS

# Colours that people with any kind of sight tell apart (Okabe and Ito).
_OURS = "#0072B2"
_OTHERS = "#999999"
_SECOND = "#D55E00"
_THIRD = "#009E73"
_LINES = (_OURS, _SECOND, _THIRD)
_WIDTH_INCHES = 8.0
_HEIGHT_INCHES = 3.6

_STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "figure.facecolor": "white",
    "grid.color": "#e6e6e6",
    "legend.fontsize": 8,
    "legend.frameon": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "svg.fonttype": "none",
    # The same report is always drawn to the same file.
    "svg.hashsalt": "hubbub",
}


def draw_posting(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Posts a second and processor time, by sender: a row of panels for each transport."""
    transports = {name: outcomes for name, outcomes in data["transports"].items() if outcomes}
    if not transports:
        return
    figure, rows = _panels(len(transports), 2)
    for (transport, outcomes), (rate, cpu) in zip(transports.items(), rows, strict=True):
        names = list(outcomes)
        colours = [_OURS if name == "hubbub" else _OTHERS for name in names]
        _bars(rate, names, [outcomes[name]["posts_per_second"] for name in names], colours, 0)
        rate.set_title(f"posts a second, over {TRANSPORTS[transport]}")
        _bars(cpu, names, [outcomes[name]["cpu_us_per_post"] for name in names], colours, 0)
        cpu.set_title(f"processor time for each post, µs, over {TRANSPORTS[transport]}")
    yield "posting", figure


def draw_signing(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """The time for each signature, by the size of a page."""
    rows = data.get("rows")
    if not rows:
        return
    figure, ((axes,),) = _panels(1, 1)
    pages = [row["page"] for row in rows]
    highest = []
    for field, label, colour in (
        ("one_thread_us", "one thread", _OURS),
        ("rayon_us", f"rayon, {data['threads']} threads", _SECOND),
    ):
        each = [row[field] / row["page"] for row in rows]
        axes.plot(pages, each, marker="o", color=colour, label=label)
        highest.append(max(each))
    if data["pays_from"] is not None:
        axes.axvline(data["pays_from"], color=_OTHERS, linestyle="--", label=f"threads pay from {data['pays_from']:,}")
    axes.set_xscale("log")
    _logarithmic(axes.xaxis)
    _from_zero(axes, highest)
    axes.set_xlabel("posts of a page")
    axes.set_ylabel("µs for each signature")
    axes.legend()
    yield "signing", figure


def draw_broadcast(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """Time by members with the quota's floor; what grows with members; posts with and without coalescing."""
    if data["quota"]:
        yield "broadcast-quota", _draw_quota(data["quota"])
    if data["growth"]:
        yield "broadcast-growth", _draw_growth(data["growth"])
    if data["coalescing"]:
        yield "broadcast-coalescing", _draw_coalescing(data["coalescing"])


def _draw_quota(rows: list[dict[str, Any]]) -> Figure:
    figure, ((axes,),) = _panels(1, 1)
    by_members = sorted((row for row in rows if row["rooms"] == 1), key=lambda row: row["members"])
    for quota, colour in zip(sorted({row["quota"] for row in by_members}), _LINES, strict=False):
        line = [row for row in by_members if row["quota"] == quota]
        members = [row["members"] for row in line]
        axes.plot(
            members, [row["seconds"] for row in line], marker="o", color=colour, label=f"measured at {quota:,} posts/s"
        )
        floor = [floor_seconds({**row, "quota": quota}) for row in by_members]
        axes.plot(
            [row["members"] for row in by_members],
            floor,
            linestyle="--",
            color=colour,
            label="its floor: members ÷ quota",
        )
    _log_log(axes)
    axes.set_xlabel("members")
    axes.set_ylabel("seconds")
    axes.legend()
    return figure


def _draw_growth(rows: list[dict[str, Any]]) -> Figure:
    figure, ((cpu, reads, memory),) = _panels(1, 3)
    members = [row["members"] for row in rows]
    panels = (
        (cpu, "cpu_us_per_member", "processor time for each member, µs"),
        (reads, "read_units_per_member", "read units for each member"),
        (memory, "peak_mib", "peak of memory, MiB"),
    )
    for axes, field, title in panels:
        values = [row[field] for row in rows]
        axes.plot(members, values, marker="o", color=_OURS)
        axes.set_xscale("log")
        _logarithmic(axes.xaxis)
        _from_zero(axes, values)
        axes.set_title(title)
        axes.set_xlabel("members")
    return figure


def _draw_coalescing(rows: list[dict[str, Any]]) -> Figure:
    figure, ((axes,),) = _panels(1, 1)
    places = range(len(rows))
    width = 0.38
    measured = axes.bar(
        [place - width / 2 for place in places],
        [row["posts"] / row["seconds"] for row in rows],
        width,
        color=_OURS,
        label="measured",
    )
    computed = axes.bar(
        [place + width / 2 for place in places],
        [row["rate"] * row["members"] for row in rows],
        width,
        color=_OTHERS,
        label="computed: a post for each message and member",
    )
    for quota in sorted({row["quota"] for row in rows}):
        axes.axhline(quota, color=_SECOND, linestyle="--", label=f"quota, {quota:,} posts/s")
    axes.set_yscale("log")
    _logarithmic(axes.yaxis)
    for bars in (measured, computed):
        axes.bar_label(bars, fmt=lambda value: f"{value:,.0f}", fontsize=8, color="white", label_type="center")
    axes.set_xticks(list(places), [f"{row['rate']:,} messages/s" for row in rows])
    # Bars have no natural foot on a logarithmic axis: one post a second, so that the figures have room, and some for
    # the legend.
    axes.set_ylim(1, 30 * max(row["rate"] * row["members"] for row in rows))
    axes.set_ylabel("posts a second")
    axes.legend(loc="upper left")
    return figure


def draw_cold_start(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """The median of the starts, by program."""
    programs = data["programs"]
    if not programs:
        return
    figure, ((axes,),) = _panels(1, 1)
    names = list(programs)
    colours = [_OURS if name in FUNCTIONS else _OTHERS for name in names]
    labels = [name if name in FUNCTIONS else f"{name}, hello world" for name in names]
    _bars(axes, labels, [programs[name]["median_ms"] for name in names], colours, 1)
    axes.set_title("from the start of the process to its first request, ms (median)")
    yield "cold-start", figure


def draw_price(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    """What comes on top of API Gateway's charge, by part."""
    rows = data["rows"]
    if not rows:
        return
    figure, ((axes,),) = _panels(1, 1)
    places = range(len(rows))
    below = [0.0] * len(rows)
    parts = (
        ("lambda_", "Lambda", _OURS),
        ("dynamodb", "DynamoDB", _THIRD),
        ("step_functions", "Step Functions", _SECOND),
    )
    for field, label, colour in parts:
        shares = [row[field] / row["api_gateway"] * 100 for row in rows]
        bars = axes.bar(places, shares, 0.6, bottom=below, color=colour, label=label)
        below = [lower + share for lower, share in zip(below, shares, strict=True)]
    axes.bar_label(bars, labels=[f"{total:.1f} %" for total in below], fontsize=8, padding=2)
    axes.set_xticks(list(places), [f"{row['members']:,}" for row in rows])
    axes.margins(y=0.15)
    axes.set_xlabel("members")
    axes.set_ylabel("added to API Gateway's charge, %")
    axes.legend()
    yield "price", figure


DRAWERS: dict[str, Callable[[dict[str, Any]], Iterable[tuple[str, Figure]]]] = {
    "posting": draw_posting,
    "signing": draw_signing,
    "broadcast": draw_broadcast,
    "cold_start": draw_cold_start,
    "price": draw_price,
}


def main() -> None:
    """Draws what there is of a report."""
    parser = argparse.ArgumentParser(description="Draws the plots of a report of the benchmark.")
    parser.add_argument("report", type=Path, help="the report.json")
    parser.add_argument("folder", type=Path, help="where the plots go")
    parser.add_argument("--format", choices=("svg", "png"), default="svg", help="the format of the files (%(default)s)")
    arguments = parser.parse_args()
    matplotlib.rcParams.update(_STYLE)
    sections = json.loads(arguments.report.read_text())["sections"]
    for name, draw in DRAWERS.items():
        if name not in sections:
            continue
        for stem, figure in draw(sections[name]["data"]):
            file = f"{stem}.{arguments.format}"
            # Without the date, so that the same report is drawn to the same bytes.
            dateless = {"Date": None} if arguments.format == "svg" else None
            figure.savefig(arguments.folder / file, format=arguments.format, metadata=dateless)
            print(file, flush=True)


def _panels(rows: int, columns: int) -> tuple[Figure, Any]:
    size = (_WIDTH_INCHES * (1.25 if columns > 1 else 1), _HEIGHT_INCHES * (0.8 * rows if rows > 1 else 1))
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def _bars(axes: Axes, names: list[str], values: list[float], colours: list[str], digits: int) -> None:
    """Bars that lie, each with its figure, in the order from above."""
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, fmt=lambda value: f"{value:,.{digits}f}", fontsize=8, padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))


def _log_log(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    _logarithmic(axes.xaxis)
    _logarithmic(axes.yaxis)


def _logarithmic(axis: Any) -> None:
    """Whole figures in the place of powers of ten."""
    axis.set_major_formatter(FuncFormatter(_plain))
    axis.set_minor_formatter(NullFormatter())


def _from_zero(axes: Axes, values: list[float]) -> None:
    """A vertical axis from zero to somewhat above the highest value."""
    axes.set_ylim(0, 1.15 * max(values) or 1)


def _plain(value: float, _position: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1 or value == 0 else f"{value:g}"


if __name__ == "__main__":
    main()
