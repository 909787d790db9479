"""Rounds: whatever competes takes turns, so that a slow minute of the machine hits all of it alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from .bench import Bench

Outcome = TypeVar("Outcome")


def take_turns(
    bench: Bench, what: str, entrants: Mapping[str, Callable[[], Outcome]], rounds: int
) -> dict[str, list[Outcome]]:
    """Round 1 of all entrants, then round 2 of all, and so on; the outcomes of each, in that order.

    An entrant that fails once is left out of what follows, and out of the outcome.
    """
    outcomes: dict[str, list[Outcome]] = {name: [] for name in entrants}
    for number in range(1, rounds + 1):
        for name in list(outcomes):
            with bench.part(f"{what}, round {number} of {rounds}, {name}"):
                outcomes[name].append(entrants[name]())
            if len(outcomes[name]) < number:
                del outcomes[name]
    return outcomes
