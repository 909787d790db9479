"""What the sections measure with: programs that print JSON, a gateway, and environments without surprises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
RIVALS = ROOT / "tests" / "bench" / "rivals"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
OUTPUT = TARGET / "bench"

_TIMEOUT_SECONDS = 1_200

# The stand-ins check a signature's form and not its key.
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class BenchError(Exception):
    """A section can't be measured."""


class NotInstalled(Exception):
    """A rival's program is not on this machine."""


@dataclass(frozen=True)
class Bench:
    """The settings of a run."""

    quick: bool
    binaries: Path

    @property
    def rounds(self) -> int:
        """How often competitors are measured, in turns. The median counts."""
        return 3 if self.quick else 5

    def program(self, name: str = "hubbub-bench") -> Path:
        """The path of a program that cargo has built."""
        path = self.binaries / name
        if not path.is_file():
            raise BenchError(f"`{path}` does not exist; `scripts/bench` without `--binaries` builds it")
        return path

    @contextmanager
    def gateway(self) -> Iterator[tuple[str, Path]]:
        """A gateway that speaks TLS: its URL, and its authority's certificate. It has no quota and no latency."""
        with tempfile.TemporaryDirectory() as folder:
            ca = Path(folder) / "ca.pem"
            command = [self.program(), "gateway", "--tls", ca]
            with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
                try:
                    url = process.stdout.readline().strip() if process.stdout else ""
                    if not url:
                        raise BenchError("the gateway has not printed its URL")
                    yield url, ca
                finally:
                    process.kill()


def say(text: str) -> None:
    """Tells what the driver does. Standard output belongs to the report."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Tells what is measured and how long that took."""
    began = time.monotonic()
    yield
    say(f"{what}: {time.monotonic() - began:.1f} s")


def installed(program: str) -> str:
    """The path of a program.

    Raises:
        NotInstalled: it is not on the PATH.
    """
    found = shutil.which(program)
    if found is None:
        raise NotInstalled(f"`{program}` is not installed")
    return found


def environment(**more: str) -> dict[str, str]:
    """The environment without variables for AWS and proxies, and with made-up credentials."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    # A warning costs a start some time.
    return {**inherited, **_CREDENTIALS, "NODE_NO_WARNINGS": "1", **more}


def run_json(command: Sequence[object], *, env: Mapping[str, str] | None = None) -> Any:
    """Runs a program to its end, and reads the last line that it has printed as JSON."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
            env=env or environment(),
        )
        return json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        raise BenchError(f"`{' '.join(words)}` has failed: {error.stderr.strip()[-1_000:]}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise BenchError(f"`{' '.join(words)}`: {error}") from None
