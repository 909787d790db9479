"""Where things are: the repository, what cargo has built, and what the benchmark writes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError

ROOT = Path(__file__).resolve().parent.parent.parent
RIVALS = Path(__file__).resolve().parent / "rivals"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
OUTPUT = TARGET / "bench"


@dataclass(frozen=True)
class Binaries:
    """The folder that has the binaries to be measured."""

    folder: Path

    def path(self, name: str) -> Path:
        """A binary.

        Raises:
            BenchError: it isn't there.
        """
        binary = self.folder / name
        if not binary.is_file():
            raise BenchError(
                f"the binary `{name}` is not in `{self.folder}`; `scripts/bench` without `--binaries` builds it"
            )
        return binary
