"""The errors that end the tool with a sentence instead of a traceback."""

from __future__ import annotations


class LocalError(Exception):
    """An error that a person can correct. Its text is a sentence without a final period."""


class ProgramError(LocalError):
    """A mistake in the Pulumi program."""
