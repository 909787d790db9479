"""What a report is made of, as Markdown: paragraphs, tables, plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MISSING = "–"


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str

    def markdown(self) -> str:
        """As Markdown."""
        return self.text


@dataclass(frozen=True)
class Table:
    """Rows under headings. A column whose heading begins with `<` is text and stands to the left, without that sign;
    others are
    figures and stand to the right."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As Markdown, padded so that it can be read as it is."""
        left = [heading.startswith("<") for heading in self.headings]
        lines = [[heading.removeprefix("<") for heading in self.headings], *self.rows]
        widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(left))]
        rule = [
            "-" * width if is_left else "-" * (width - 1) + ":" for is_left, width in zip(left, widths, strict=True)
        ]
        padded = [
            [
                cell.ljust(width) if is_left else cell.rjust(width)
                for cell, is_left, width in zip(line, left, widths, strict=True)
            ]
            for line in lines
        ]
        return "\n".join(f"| {' | '.join(line)} |" for line in [padded[0], rule, *padded[1:]])


@dataclass(frozen=True)
class Plot:
    """A picture, by the name of its file beside the report, with what it shows for whom can't see it."""

    file: str
    shows: str

    def markdown(self) -> str:
        """As Markdown."""
        return f"![{self.shows}]({self.file})"


Block = Paragraph | Table | Plot


def number(value: float | None, digits: int = 0) -> str:
    """A figure with so many digits behind the point and its thousands set apart."""
    return MISSING if value is None else f"{value:,.{digits}f}"


def significant(value: float | None, digits: int = 3) -> str:
    """A figure with so many significant digits, and never fewer than those before the point."""
    if value is None:
        return MISSING
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits}g}")
    exponent = int(f"{rounded:e}".partition("e")[2])
    return f"{rounded:,.{max(digits - 1 - exponent, 0)}f}"


def times(value: float | None) -> str:
    """A ratio."""
    return MISSING if value is None else f"{significant(value)}×"


def percent(value: float | None, digits: int = 0) -> str:
    """A share as a percentage."""
    return MISSING if value is None else f"{value * 100:,.{digits}f} %"
