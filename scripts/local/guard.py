"""Runs the emulator and sees to it that it and all that it started are gone in the end.

The tool starts this as the leader of a session of its own and holds the other end of its standard input. When that
closes, because the tool is done or because it was killed, the emulator is asked to stop, and then the whole process
group is killed, the guard with it. The emulator starts functions as children in that group and may leave them behind;
nothing else is in it.

Where it is to restart the emulator, it does so whenever that has stopped without an error, and writes each one's
process id to a file. Functions that are at work then live on, as they would without the gateway.
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
    """Runs the command until it ends or standard input closes. Does not return: it kills its own group."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--grace", type=float, required=True, help="the seconds that the emulator has for stopping")
    parser.add_argument("--restarts", type=Path, metavar="FILE", help="start it again, and write its process id here")
    parser.add_argument("command", nargs="+")
    Guard(**vars(parser.parse_args(arguments))).run()


class Guard:
    """Holds the emulator that runs at the moment."""

    def __init__(self, grace: float, restarts: Path | None, command: list[str]) -> None:
        self._grace = grace
        self._pid_file = restarts
        self._command = command
        self._is_closing = False
        self._starting = threading.Lock()

    def run(self) -> None:
        """Runs the emulator until it is over, and kills all of the group."""
        # A terminal's hang-up or an operator's `kill` goes to the tool, which closes standard input in its own time.
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
    """Undoes for the emulator that the guard ignores signals, which a child would inherit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1:])
