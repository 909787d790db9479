"""Runs the emulator, and ends it with all its processes.

The tool starts the guard as the leader of a new session and holds the other end of its standard input. That end closes
when the tool is done or was killed. The guard then asks the emulator to stop, and kills its own process group. The group
has only the guard, the emulator, and the functions that the emulator has started.

With `--restarts`, the guard starts the emulator again whenever it has stopped without an error, and writes its process id
to a file. Functions that are running then continue, as they would without their gateway.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path


def main(arguments: list[str]) -> None:
    """Runs the command until it ends or standard input closes. It doesn't return: it kills its own process group."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=float, required=True, help="seconds that the emulator gets to stop")
    parser.add_argument("--restarts", type=Path, metavar="FILE", help="start it again, and write its process id here")
    parser.add_argument("command", nargs="+")
    Guard(**vars(parser.parse_args(arguments))).run()


class Guard:
    """Starts, watches and ends the emulator."""

    def __init__(self, grace: float, restarts: Path | None, command: list[str]) -> None:
        self._grace = grace
        self._pid_file = restarts
        self._command = command
        self._is_closing = False
        self._starting = threading.Lock()

    def run(self) -> None:
        """Runs the emulator until it ends, and kills the group."""
        # A signal from a terminal or operator is for the tool, which then closes standard input.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._start()
        threading.Thread(target=self._stop_when_closed, daemon=True).start()
        code = self._emulator.wait()
        while code == 0 and self._restart():
            code = self._emulator.wait()
        print(f"guard: the emulator has ended with status {code}", flush=True)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    def _start(self) -> None:
        self._emulator = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, preexec_fn=_heed_signals)
        if self._pid_file is not None:
            unfinished = self._pid_file.with_suffix(".tmp")
            unfinished.write_text(f"{self._emulator.pid}\n")
            unfinished.replace(self._pid_file)

    def _restart(self) -> bool:
        with self._starting:
            if self._pid_file is None or self._is_closing:
                return False
            print("guard: the emulator is started again", flush=True)
            self._start()
            return True

    def _stop_when_closed(self) -> None:
        sys.stdin.buffer.read()
        with self._starting:
            self._is_closing = True
            self._emulator.terminate()
        try:
            self._emulator.wait(self._grace)
        except subprocess.TimeoutExpired:
            self._emulator.kill()


def _heed_signals() -> None:
    """Restores the signals that the guard ignores: a child would inherit that."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1:])
