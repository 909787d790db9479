"""Runs processes and measures them from outside: time, processor time, peak of memory."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .errors import BenchError
from .figures import KIB, MIB

_LAUNCHER = Path(__file__).resolve().parent / "launcher.py"
# Linux reports the peak of memory in KiB, macOS in bytes.
_PEAK_UNIT_BYTES = 1 if sys.platform == "darwin" else KIB
_TAIL_LINES = 8

# What the senders sign with. The stand-ins check the form of a signature and not what it was made with.
_CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
    # As in a function, whose credentials always have one; it makes a request longer.
    "AWS_SESSION_TOKEN": "token",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass(frozen=True)
class Run:
    """What a process has printed and taken, from its start to its end."""

    stdout: str
    stderr: str
    seconds: float
    user_seconds: float
    system_seconds: float
    peak_mib: float

    @property
    def cpu_seconds(self) -> float:
        """The processor time, in user and in system mode."""
        return self.user_seconds + self.system_seconds


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what is set for AWS and for proxies, which would lead a sender elsewhere, and with
    credentials that are
    made up."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("AWS_") and not name.lower().endswith("_proxy")
    }
    return {**kept, **_CREDENTIALS, **more}


def run(
    command: Sequence[object],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Run:
    """Runs a command, whose words are made texts, to its end, in a session of its own, so that nothing of it survives.

    Raises:
        BenchError: it can't be started, fails, or takes longer than the timeout.
    """
    words = [str(word) for word in command]
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr, os.fdopen(reading) as report:
        launcher = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCHER, str(writing), *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=clean_environment() if environment is None else environment,
            cwd=folder,
            pass_fds=(writing,),
            start_new_session=True,
        )
        os.close(writing)
        try:
            launcher.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            raise BenchError(
                f"{_brief(words)} has not ended within {timeout_seconds:.0f} s{_tail(_text(stderr))}"
            ) from None
        finally:
            _kill_group(launcher)
        figures = report.read().split()
        out, err = _text(stdout), _text(stderr)
    if len(figures) != 5:
        raise BenchError(f"{_brief(words)} could not be measured{_tail(err)}")
    code = int(figures[0])
    if code != 0:
        raise BenchError(f"{_brief(words)} has failed with status {code}{_tail(err or out)}")
    seconds, user, system, peak = map(float, figures[1:])
    return Run(out, err, seconds, user, system, peak * _PEAK_UNIT_BYTES / MIB)


def last_json(run: Run, *fields: str) -> dict[str, Any]:
    """The object in the last line of what a process has printed.

    Raises:
        BenchError: the line is no JSON object, or lacks one of the fields.
    """
    line = (run.stdout.strip().splitlines() or [""])[-1]
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise BenchError(
            f"the last line that was printed is `{line[:200]}`, where one of JSON was expected{_tail(run.stderr)}"
        )
    missing = [field for field in fields if field not in value]
    if missing:
        raise BenchError(f"the line of JSON that was printed has no field `{missing[0]}`: `{line[:200]}`")
    return value


def stop(process: subprocess.Popen[Any]) -> None:
    """Kills a process that this tool has started, and waits for its end."""
    with suppress(ProcessLookupError):
        process.kill()
    process.wait()


def _kill_group(leader: subprocess.Popen[Any]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _brief(words: Sequence[str]) -> str:
    return f"`{shlex.join([Path(words[0]).name, *words[1:]])}`"


def _tail(text: str) -> str:
    lines = text.strip().splitlines()[-_TAIL_LINES:]
    return "; it said:\n" + "\n".join(f"  {line}" for line in lines) if lines else ""
