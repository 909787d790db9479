"""Runs a command and reports what it took: `python -I -S launcher.py FD COMMAND [ARGUMENT]...`.

The operating system counts the memory of whoever starts a process as that process's own peak, up to the moment that its
program is loaded. So the harness, which is large, doesn't start what it measures: it starts this, which imports next to
nothing and forks instead of sharing its memory, and the floor under a measured peak is a few MiB.

To the file descriptor it writes, separated by spaces: the exit code as Python has it (negative for a signal), the
seconds from start to end, the seconds of user and of system time, and the peak of the resident memory in the system's
own unit.
"""

from __future__ import annotations

import os
import sys
import time

_CANNOT_EXECUTE = 127


def main(report: int, command: list[str]) -> None:
    """Runs the command and reports."""
    os.set_inheritable(report, False)
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            os.write(2, f"{command[0]}: {error.strerror}\n".encode())
        os._exit(_CANNOT_EXECUTE)
    _, status, usage = os.wait4(child, 0)
    seconds = time.monotonic() - began
    figures = (os.waitstatus_to_exitcode(status), seconds, usage.ru_utime, usage.ru_stime, usage.ru_maxrss)
    os.write(report, " ".join(map(repr, figures)).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
