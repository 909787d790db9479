"""The errors that end the tool with a sentence instead of a traceback."""

from __future__ import annotations


class LocalError(Exception):
    """Something that a person can put right. Its text is a sentence without a final period."""


class ProgramError(LocalError):
    """The Pulumi program has something in it that can't be applied as it is written."""
