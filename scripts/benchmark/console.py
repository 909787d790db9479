"""What the tool says while it works. All of it goes to stderr: stdout belongs to the report."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Console:
    """Announces steps with their durations."""

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Announces a step and, when it has succeeded, how long it took."""
        began = time.monotonic()
        self._say(f"bench: {what} ...")
        try:
            yield
        except BaseException:
            self._say("\n")
            raise
        self._say(f" {time.monotonic() - began:.1f} s\n")

    def note(self, text: str) -> None:
        """Says a sentence."""
        self._say(f"bench: {text}\n")

    def fail(self, text: str) -> None:
        """Says what went wrong."""
        self._say(f"bench: error: {text}\n")

    def _say(self, text: str) -> None:
        print(text, end="", file=sys.stderr, flush=True)
