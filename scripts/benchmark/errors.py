"""The error that a part of the benchmark ends with."""

from __future__ import annotations


class BenchError(Exception):
    """A part can't be measured. Its text is a sentence without a final period, which says what to do where that is "
    "known."""
