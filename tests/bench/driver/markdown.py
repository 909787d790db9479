"""Figures and tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MISSING = "–"


@dataclass(frozen=True)
class Part:
    """A table of a report, under the same heading as in docs/performance.md."""

    heading: str
    text: str
    table: str
    plot: str = ""

    def markdown(self) -> str:
        return "\n\n".join(filter(None, [f"## {self.heading}", self.text, self.table, self.plot]))

    def put_into(self, page: str) -> str:
        """The page with this table in place of the first one under the heading."""
        pattern = rf"(^##+ {re.escape(self.heading)}\n(?:(?!##|\|).*\n)*)(?:\|.*\n)+"
        changed, found = re.subn(pattern, lambda match: f"{match[1]}{self.table}\n", page, count=1, flags=re.MULTILINE)
        if not found:
            raise ValueError(f"the page has no table under the heading `{self.heading}`")
        return changed


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
