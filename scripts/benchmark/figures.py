"""Arithmetic on figures: medians, percentiles, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

KIB = 1024
MIB = 1024 * 1024


def median(values: Sequence[float]) -> float:
    """The middle of the values, or the mean of the two that are there."""
    return float(statistics.median(values))


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of the values that `percent` of a hundred of them don't exceed (nearest rank)."""
    ordered = sorted(values)
    rank = -(-percent * len(ordered) // 100)
    return float(ordered[max(rank, 1) - 1])


def ratio(value: float | None, base: float | None) -> float | None:
    """How many times `base` goes into `value`; nothing where one of them is missing or `base` is zero."""
    if value is None or not base:
        return None
    return value / base
