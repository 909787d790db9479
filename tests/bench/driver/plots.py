"""The plots of a report, as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from .broadcast import floor_seconds
from .posting import BATCH_POSTS, FLOOR, WARM_UP_BATCHES

# Colours that people with any kind of sight can tell apart (Okabe and Ito).
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
_STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": "#e6e6e6",
    "legend.frameon": False,
    "svg.fonttype": "none",
    # The same report is always drawn to the same bytes.
    "svg.hashsalt": "hubbub",
}


def draw(sections: dict[str, Any], folder: Path) -> None:
    """Draws what was measured."""
    matplotlib.rcParams.update(_STYLE)
    for name, drawer in (("posting", _posting), ("broadcast", _broadcast)):
        for stem, figure in drawer(sections[name]) if name in sections else ():
            figure.savefig(folder / f"{stem}.svg", metadata={"Date": None})


def _posting(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    figure, (axes,) = _panels(1)
    senders = {name: sender for name, sender in data["senders"].items() if name != FLOOR}
    for (name, sender), colour in zip(senders.items(), _COLOURS, strict=True):
        posts = [(number + 1) * BATCH_POSTS for number in range(len(sender["batches_us"]))]
        axes.plot(posts, sender["batches_us"], marker=".", color=colour, label=name)
    axes.axvspan(0, (WARM_UP_BATCHES + 0.5) * BATCH_POSTS, color="#f2f2f2", zorder=0, label="warm-up")
    axes.set_yscale("log")
    _whole_numbers(axes)
    axes.set_xlim(left=0)
    axes.set_xlabel("posts that the process has made")
    axes.set_title("CPU time of a post, µs")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    yield "posting", figure


def _broadcast(data: dict[str, Any]) -> Iterator[tuple[str, Figure]]:
    yield "broadcast-quota", _quota([row for row in data["quota"] if row["rooms"] == 1])
    yield "broadcast-growth", _growth(data["growth"])


def _quota(rows: list[dict[str, Any]]) -> Figure:
    figure, (axes,) = _panels(1)
    for quota, colour in zip(sorted({row["quota"] for row in rows}), _COLOURS, strict=False):
        line = sorted((row for row in rows if row["quota"] == quota), key=lambda row: row["members"])
        members = [row["members"] for row in line]
        axes.plot(members, [row["seconds"] for row in line], marker="o", color=colour, label=f"{quota:,} posts/s")
        floor = [floor_seconds(row) for row in line]
        axes.plot(members, floor, linestyle="--", color=colour, label="its floor: members ÷ callbackRps")
    axes.set_xscale("log")
    axes.set_yscale("log")
    _whole_numbers(axes)
    axes.set_xlabel("members")
    axes.set_ylabel("seconds")
    axes.legend()
    return figure


def _growth(rows: list[dict[str, Any]]) -> Figure:
    figure, panels = _panels(3)
    titles = {
        "cpu_us_per_member": "CPU time for each member, µs",
        "read_units_per_member": "read units for each member",
        "peak_mib": "peak of memory, MiB",
    }
    for axes, (field, title) in zip(panels, titles.items(), strict=True):
        values = [row[field] for row in rows]
        axes.plot([row["members"] for row in rows], values, marker="o", color=_COLOURS[0])
        axes.set_xscale("log")
        _whole_numbers(axes)
        axes.set_ylim(0, 1.15 * max(values))
        axes.set_title(title)
        axes.set_xlabel("members")
    return figure


def _panels(columns: int) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8 if columns == 1 else 10, 3.6), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _whole_numbers(axes: Axes) -> None:
    """Numbers instead of powers of ten."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
