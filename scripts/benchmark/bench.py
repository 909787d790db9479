"""What a section measures with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .console import Console
from .errors import BenchError
from .places import Binaries


@dataclass(frozen=True)
class Failure:
    """A part that could not be measured, or that was measured and did not do its work."""

    section: str
    part: str
    error: str


@dataclass
class Bench:
    """The settings of a run, what was measured so far by section, and what has failed."""

    quick: bool
    binaries: Binaries
    console: Console = field(default_factory=Console)
    measured: dict[str, Any] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    section: str = ""

    @property
    def rounds(self) -> int:
        """How often what competes is measured; the median counts."""
        return 3 if self.quick else 5

    @contextmanager
    def part(self, what: str) -> Iterator[None]:
        """Announces a part of the section. Where it fails, that is noted and the run goes on."""
        try:
            with self.console.step(f"{self.section}: {what}"):
                yield
        except BenchError as error:
            self.fail(what, str(error))

    def fail(self, part: str, error: str) -> None:
        """Notes that a part has failed."""
        self.failures.append(Failure(self.section, part, error))
        self.console.fail(f"{self.section}: {part}: {error}")
