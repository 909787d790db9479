"""Runs the stand-in for API Gateway's @connections, `tests/gateway`, as a process of its own."""

from __future__ import annotations

import selectors
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .places import Binaries
from .processes import stop

_START_SECONDS = 10


@dataclass(frozen=True)
class Gateway:
    """A gateway that serves: the stage's URL, and the file with its authority's certificate where it speaks TLS."""

    url: str
    ca: Path | None


@contextmanager
def gateway(binaries: Binaries, *, tls: bool) -> Iterator[Gateway]:
    """Serves without a quota and without a latency of its own, until the block ends.

    Raises:
        BenchError: it doesn't start.
    """
    with tempfile.TemporaryDirectory() as folder:
        ca = Path(folder) / "ca.pem" if tls else None
        command = [str(binaries.path("gateway")), *(["--tls", str(ca)] if ca else [])]
        # What it logs goes to the tool's own stderr: it has nothing to say unless something is wrong.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        try:
            yield Gateway(_read_url(process), ca)
        finally:
            stop(process)
            if process.stdout:
                process.stdout.close()


def _read_url(process: subprocess.Popen[str]) -> str:
    """The URL, which the gateway prints as its first line when it listens."""
    if process.stdout is None:
        raise BenchError("the gateway's output is not read")
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(_START_SECONDS):
            raise BenchError(f"the gateway has not printed its URL within {_START_SECONDS} s")
    url = process.stdout.readline().strip()
    if not url:
        raise BenchError(f"the gateway has ended with status {process.wait()} before it printed its URL")
    return url
