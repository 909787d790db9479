"""Proves what is told of a process that was run."""

import sys
import unittest

from ..errors import BenchError
from ..processes import Run, last_json, run


def python(program: str, *, timeout_seconds: float = 30) -> Run:
    """Runs a program of Python."""
    return run([sys.executable, "-c", program], timeout_seconds=timeout_seconds)


class Running(unittest.TestCase):
    """Processes that end well, badly, and not at all."""

    def test_processor_time_and_memory_are_the_process_own(self) -> None:
        idle = python("pass")
        busy = python("import time\nheap = bytearray(64 << 20)\nwhile time.process_time() < 0.3: pass")
        self.assertGreaterEqual(busy.cpu_seconds, 0.3)
        self.assertGreater(busy.peak_mib - idle.peak_mib, 60)

    def test_a_failure_is_told_with_the_status_and_what_was_said(self) -> None:
        with self.assertRaisesRegex(BenchError, "(?s)has failed with status 3.*no such luck"):
            python("import sys; print('no such luck', file=sys.stderr); sys.exit(3)")

    def test_a_missing_program_is_named(self) -> None:
        with self.assertRaisesRegex(BenchError, "(?s)/no/such/program: No such file"):
            run(["/no/such/program"], timeout_seconds=30)

    def test_what_does_not_end_is_killed(self) -> None:
        with self.assertRaisesRegex(BenchError, "has not ended within"):
            python("import time; time.sleep(600)", timeout_seconds=0.5)

    def test_the_last_line_is_read_as_json(self) -> None:
        self.assertEqual(last_json(python("print('a line'); print('{\"posts\": 3}')"), "posts"), {"posts": 3})

    def test_a_last_line_without_the_fields_is_an_error(self) -> None:
        with self.assertRaisesRegex(BenchError, "no field `failed`"):
            last_json(python("print('{\"posts\": 3}')"), "posts", "failed")
        with self.assertRaisesRegex(BenchError, "`nothing to see`, where one of JSON was expected"):
            last_json(python("print('nothing to see')"))
