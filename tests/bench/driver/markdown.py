"""Figures and tables as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

MISSING = "–"


def figure(value: float | None) -> str:
    """Three significant digits, and thousands set apart."""
    if value is None:
        return MISSING
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")


def times(value: float | None) -> str:
    """A ratio, with two significant digits."""
    if value is None:
        return MISSING
    return f"{value:.0f}×" if value >= 10 else f"{value:.1f}×"


def table(rows: Sequence[Any], columns: Mapping[str, Callable[[Any], object]]) -> str:
    """A table whose first column is text. The other columns are figures, so they are aligned to the right."""
    lines = [list(columns), *([str(cell(row)) for cell in columns.values()] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]

    def write(line: Sequence[str]) -> str:
        first, *others = zip(line, widths, strict=True)
        return f"| {' | '.join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)])} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(map(write, [lines[0], rule, *lines[1:]]))
