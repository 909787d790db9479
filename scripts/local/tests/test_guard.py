"""The guard, with a command in the emulator's place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

GUARD = Path(__file__).resolve().parent.parent / "guard.py"
PATIENCE_SECONDS = 20

# Ends well when it is asked to.
STOPPABLE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
print("up", flush=True)
signal.pause()
"""


class GuardTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.pid_file = Path(folder.name) / "pid"

    def guard(self, *options: str, program: str = STOPPABLE) -> subprocess.Popen[str]:
        guard = subprocess.Popen(
            [sys.executable, "-I", GUARD, "--grace", "5", *options, "--", sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.addCleanup(self.end, guard)
        return guard

    def end(self, guard: subprocess.Popen[str]) -> None:
        assert guard.stdin and guard.stdout
        guard.stdin.close()
        self.assertEqual(guard.wait(PATIENCE_SECONDS), -signal.SIGKILL, "it ends with all of its group")
        guard.stdout.close()

    def read_line(self, guard: subprocess.Popen[str]) -> str:
        assert guard.stdout
        return guard.stdout.readline().strip()

    def test_a_command_that_was_stopped_is_started_again_if_it_is_to_restart(self) -> None:
        guard = self.guard("--restarts", str(self.pid_file))
        self.assertEqual(self.read_line(guard), "up")
        pid = int(self.pid_file.read_text())
        os.kill(pid, signal.SIGTERM)
        self.assertEqual(self.read_line(guard), "guard: the emulator is started again")
        self.assertEqual(self.read_line(guard), "up")
        self.assertNotEqual(int(self.pid_file.read_text()), pid)
        self.end(guard)
        self.assertTrue(is_so(lambda: not is_running(int(self.pid_file.read_text()))))

    def test_a_command_that_was_stopped_is_the_end_otherwise(self) -> None:
        guard = self.guard(program="print('up')")
        self.assertEqual(self.read_line(guard), "up")
        self.assertEqual(self.read_line(guard), "guard: the emulator has ended with status 0")

    def test_a_command_that_fails_is_not_started_again(self) -> None:
        guard = self.guard("--restarts", str(self.pid_file), program="raise SystemExit(3)")
        self.assertEqual(self.read_line(guard), "guard: the emulator has ended with status 3")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def is_so(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


if __name__ == "__main__":
    unittest.main()
