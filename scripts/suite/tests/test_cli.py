"""What the command line accepts, and how a step ends."""

from __future__ import annotations

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from .. import run as run_module
from ..cli import Results, main
from ..run import Run, StepFailed
from ..schedule import Step


class CommandLine(unittest.TestCase):
    def refuse(self, expected: str, *arguments: str) -> None:
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as caught:
            main(list(arguments))
        self.assertEqual(caught.exception.code, 2)
        self.assertIn(expected, said.getvalue())

    def test_unknown_step_is_answered_with_the_names(self) -> None:
        self.refuse("there is no step `unit`; did you mean `units`? the steps are format, lints,", "unit")

    def test_filter_needs_a_step_with_tests(self) -> None:
        self.refuse("`format` has no tests to choose from; these have: units,", "format", "x")

    def test_number_of_repeats_is_at_least_one(self) -> None:
        self.refuse("`0` is not a whole number from 1", "--repeat", "0")

    def test_list_names_each_step(self) -> None:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(main(["--list"]), 0)
        self.assertRegex(said.getvalue(), r"(?m)^e2e +real functions")


class Steps(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patched = patch.object(run_module, "LOGS", Path(folder.name))
        patched.start()
        self.addCleanup(patched.stop)

    def results(self, act: object, **choice: str) -> tuple[Results, str]:
        results = Results([Step("it", "works", act, has_tests=True)], **choice)  # type: ignore[arg-type]
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            results.run()
            results.summarise()
        return results, said.getvalue()

    def test_step_passes_with_its_counts(self) -> None:
        results, said = self.results(lambda run: run.call("echo", "Ran 3 tests in 0.1s"))
        self.assertEqual(results.failures, [])
        self.assertRegex(said, r"it +ok .* 3 tests\n(.|\n)*passed, in .*; 3 tests ran")

    def test_failing_command_fails_the_step_and_shows_its_output(self) -> None:
        results, said = self.results(lambda run: run.call("bash", "-c", "echo why; exit 3"))
        self.assertEqual(results.failures, ["it"])
        self.assertIn("why\n", said)
        self.assertIn("ended with status 3", said)
        self.assertIn("FAILED: it", said)

    def test_missing_command_fails_the_step(self) -> None:
        results, said = self.results(lambda run: run.call("no-such-command"))
        self.assertEqual(results.failures, ["it"])
        self.assertIn("`no-such-command` can't be run", said)

    def test_repeated_failures_are_counted(self) -> None:
        results = Results([Step("it", "works", lambda run: run.call("false"))])
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            results.run()
            results.run()
            results.summarise()
        self.assertIn("FAILED: it (2 times)", said.getvalue())

    def test_defect_of_a_step_fails_it(self) -> None:
        results, _ = self.results(lambda run: 1 / 0)
        self.assertEqual(results.failures, ["it"])

    def test_filter_that_chooses_nothing_fails(self) -> None:
        results, said = self.results(lambda run: None, only="it", filter="x")
        self.assertEqual(results.failures, ["it"])
        self.assertIn("no test has `x` in its name", said)

    def test_stopped_step_starts_no_other_command(self) -> None:
        run = Run("it")
        self.addCleanup(run.close)
        run.stop()
        with self.assertRaises(StepFailed):
            run.call("true")


if __name__ == "__main__":
    unittest.main()
