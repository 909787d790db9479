"""One run of a step: its commands, their output, and how they end."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from .counts import Counts

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
LOGS = TARGET / "test"

# A local stack takes itself down in about this time.
_GRACE_SECONDS = 30
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class StepFailed(Exception):
    """A step's command failed, or the step found something wrong. The text is a sentence without a final period."""


class Run:
    """What a step gets to work with. `filter` chooses tests by name; a step without tests never gets one."""

    def __init__(self, name: str, *, filter: str | None = None, stream: bool = False) -> None:
        self.filter = filter
        self.counts = Counts()
        self.notes: list[str] = []
        self.log = LOGS / f"{name}.log"
        self._stream = stream
        self._began = time.monotonic()
        self._seconds: float | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._is_stopped = False
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # By lines, so that it can be followed.
        self._file = self.log.open("w", buffering=1)

    @property
    def seconds(self) -> float:
        """How long the step has run."""
        return time.monotonic() - self._began if self._seconds is None else self._seconds

    def call(
        self, *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None, good: tuple[int, ...] = (0,)
    ) -> None:
        """Runs a command, and reads the counts of tests from its output.

        Raises:
            StepFailed: the command can't be started, or ends with another status than the good ones.
        """
        self._run([str(part) for part in command], cwd, env or {}, lambda line: None, good)

    def output(self, *command: str | Path, cwd: Path = ROOT) -> list[str]:
        """Runs a command and returns the lines that it prints, which go to the log too."""
        lines: list[str] = []
        self._run([str(part) for part in command], cwd, {}, lines.append, (0,))
        return lines

    def lib(self, function: str, *arguments: str | Path) -> None:
        """Calls a function of `scripts/lib.sh`."""
        self.call("bash", "-euc", 'source scripts/lib.sh; "$@"', "lib", function, *arguments)

    def on_stack(self, options: list[str], *commands: list[str | Path]) -> None:
        """Runs commands one after the other on a local stack of their own."""
        script = "\n".join(shlex.join(str(part) for part in command) for command in commands)
        self.lib("local_stack", "run", *options, "--", "bash", "-euc", script)

    def leave_out(self, note: str) -> None:
        """Notes a part that can't run here. The summary repeats it."""
        self.notes.append(note)
        self._say(f"left out: {note}\n")

    def tail(self, lines: int) -> str:
        """The last lines of the log."""
        return "".join(self.log.read_text(errors="replace").splitlines(keepends=True)[-lines:])

    def stop(self) -> None:
        """Ends the command that runs, and lets no other start."""
        with self._lock:
            self._is_stopped = True
            process = self._process
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Closes the log. The time that the step took is fixed."""
        self._seconds = self.seconds
        self._file.close()

    def _run(
        self,
        command: list[str],
        cwd: Path,
        env: Mapping[str, str],
        read: Callable[[str], None],
        good: tuple[int, ...],
    ) -> None:
        self._say(f"$ {shlex.join(command)}\n")
        with self._lock:
            if self._is_stopped:
                raise StepFailed("it was stopped")
            try:
                process = subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**os.environ, **env},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    # A session of its own, so that Ctrl-C reaches it once, through `stop`, with all that it has started.
                    start_new_session=True,
                )
            except OSError as error:
                raise StepFailed(f"`{command[0]}` can't be run: {error.strerror}") from error
            self._process = process
        assert process.stdout
        for line in process.stdout:
            self._say(line)
            plain = _COLOUR.sub("", line).rstrip("\n")
            self.counts.read(plain)
            read(plain)
        status = process.wait()
        if status not in good:
            raise StepFailed(f"`{_short(command)}` ended with status {status}")

    def _say(self, text: str) -> None:
        self._file.write(text)
        if self._stream:
            sys.stderr.write(text)
            sys.stderr.flush()


def _short(command: list[str]) -> str:
    """A command's first words, for messages."""
    words = [word for word in command if "\n" not in word]
    if words[0] == "bash":
        words = words[words.index("lib") + 1 :] if "lib" in words else words
    return shlex.join(words[:6]) + (" …" if len(words) > 6 else "")
