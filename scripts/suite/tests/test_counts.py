"""What is read from the runners' output."""

import unittest

from ..counts import Counts


class Reading(unittest.TestCase):
    def check(self, expected: tuple[int, int], *lines: str) -> None:
        counts = Counts()
        for line in lines:
            counts.read(line)
        self.assertEqual((counts.ran, counts.left_out), expected, lines)

    def test_cargo_reports_each_binary(self) -> None:
        self.check(
            (8, 1),
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 40 filtered out; finished in 0.10s",
            "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        )

    def test_node_reports_passed_and_skipped(self) -> None:
        self.check((7, 2), "# tests 9", "# pass 6", "# fail 1", "# cancelled 0", "# skipped 2", "# todo 0")
        self.check((6, 0), "ℹ tests 6", "ℹ pass 6", "ℹ fail 0", "ℹ skipped 0")

    def test_python_counts_skipped_tests_apart(self) -> None:
        self.check((11, 1), "Ran 12 tests in 0.1s", "OK (skipped=1)")
        self.check((1, 0), "Ran 1 test in 0.1s", "FAILED (failures=1)")

    def test_other_lines_report_nothing(self) -> None:
        self.check((0, 0), "Running unittests src/lib.rs", "# pass the salt", "3 passed")


if __name__ == "__main__":
    unittest.main()
