"""Runs the emulator and sees to it that it and all that it started are gone in the end.

The tool starts this as the leader of a session of its own and holds the other end of its standard input. When that
closes, because the tool is done or because it was killed, the emulator is asked to stop, and then the whole process
group is killed, the guard with it. The emulator starts functions as children in that group and may leave them behind;
nothing else is in it.

It is called with the seconds that the emulator has for stopping, and the emulator's command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main(arguments: list[str]) -> None:
    """Runs the command until it ends or standard input closes. Does not return: it kills its own group."""
    grace, command = float(arguments[0]), arguments[1:]
    # A terminal's hang-up or an operator's `kill` goes to the tool, which closes standard input in its own time.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    emulator = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_heed_signals)

    def stop_when_closed() -> None:
        sys.stdin.buffer.read()
        emulator.terminate()
        try:
            emulator.wait(grace)
        except subprocess.TimeoutExpired:
            emulator.kill()

    threading.Thread(target=stop_when_closed, daemon=True).start()
    code = emulator.wait()
    print(f"guard: the emulator has ended with status {code}", flush=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _heed_signals() -> None:
    """Undoes for the emulator that the guard ignores signals, which a child would inherit."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


if __name__ == "__main__":
    main(sys.argv[1:])
