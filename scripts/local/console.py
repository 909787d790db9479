"""The tool's messages. They go to stderr, because stdout belongs to the command that runs on the stack."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOG_TAIL_LINES = 20


class Console:
    """Announces steps with their durations, unless it is quiet."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet

    @contextmanager
    def step(self, what: str, *, chatty: bool = False) -> Iterator[None]:
        """Announces a step, and its duration when it has succeeded. A chatty step prints lines of its own."""
        begun = time.monotonic()
        self._say(f"local stack: {what} ..." + ("\n" if chatty else ""))
        try:
            yield
        except BaseException:
            if not chatty:
                self._say("\n")
            raise
        duration = f"{time.monotonic() - begun:.1f} s\n"
        self._say(f"local stack: {what} took {duration}" if chatty else f" {duration}")

    def note(self, text: str) -> None:
        """Prints a sentence."""
        self._say(f"local stack: {text}\n")

    def fail(self, text: str) -> None:
        """Prints an error, also when quiet."""
        print(f"local stack: error: {text}", file=sys.stderr, flush=True)

    def show_tail(self, log: Path) -> None:
        """Prints a log's path and last lines, also when quiet."""
        lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
        if not lines:
            return
        print(f"local stack: MiniStack's log is {log}; it ends with:", file=sys.stderr)
        for line in lines[-_LOG_TAIL_LINES:]:
            print(f"  {line}", file=sys.stderr)
        sys.stderr.flush()

    def _say(self, text: str) -> None:
        if not self.quiet:
            print(text, end="", file=sys.stderr, flush=True)
