"""The parts of the report, in their order.

Each is a module with `TITLE`, with `NEEDS` (the sections whose figures it takes), with `measure`, which returns what it
has measured as JSON has it, and with `describe`, which makes blocks of the report of that and of nothing else.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..bench import Bench
from ..blocks import Block
from . import broadcast, cold_start, end_to_end, posting, price, signing


class Section(Protocol):
    """What a section's module has."""

    TITLE: str
    NEEDS: tuple[str, ...]

    def measure(self, bench: Bench) -> dict[str, Any]:
        """Measures. A part that fails is noted in `bench`, and the others go on."""

    def describe(self, data: dict[str, Any]) -> list[Block]:
        """Words what `measure` has returned, of which any part may be missing."""


SECTIONS: dict[str, Section] = {
    "posting": posting,
    "signing": signing,
    "broadcast": broadcast,
    "cold_start": cold_start,
    "price": price,
    "end_to_end": end_to_end,
}


def with_needs(names: list[str]) -> list[str]:
    """These sections and the ones that they need, in the order in which they run."""
    wanted = {*names, *(need for name in names for need in SECTIONS[name].NEEDS)}
    return [name for name in SECTIONS if name in wanted]
