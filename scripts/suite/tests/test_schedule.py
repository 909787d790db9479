"""Which steps run side by side, and in which order."""

from __future__ import annotations

import threading
import unittest

from ..run import Run
from ..schedule import Step, run_steps
from ..steps import STEPS


def nothing(_run: Run) -> None:
    pass


def step(name: str, processors: int = 1, **rest: tuple[str, ...]) -> Step:
    return Step(name, "", nothing, processors, **rest)


class Scheduling(unittest.TestCase):
    def run_all(self, *steps: Step, failing: frozenset[str] = frozenset()) -> tuple[list[str], list[str], int]:
        """The steps in the order in which they started, those that were skipped, and the most processors in use."""
        started: list[str] = []
        skipped: list[str] = []
        used = most = 0
        lock = threading.Lock()

        def act(it: Step) -> bool:
            nonlocal used, most
            with lock:
                started.append(it.name)
                used += it.processors
                most = max(most, used)
            # Long enough for any other that may start now to do so.
            threading.Event().wait(0.02)
            with lock:
                used -= it.processors
            return it.name not in failing

        run_steps(steps, act, lambda it, _needed: skipped.append(it.name))
        return started, skipped, most

    def test_two_that_wait_run_together(self) -> None:
        _, _, most = self.run_all(step("a"), step("b"), step("c"))
        self.assertEqual(most, 2)

    def test_busy_step_runs_alone(self) -> None:
        _, _, most = self.run_all(step("a"), step("b", 2), step("c"))
        self.assertEqual(most, 2)

    def test_later_step_does_not_overtake_a_busy_one(self) -> None:
        started, _, _ = self.run_all(step("a"), step("b", 2), step("c"), step("d", 0))
        self.assertEqual(started, ["a", "d", "b", "c"])

    def test_step_starts_after_what_it_needs(self) -> None:
        started, _, _ = self.run_all(step("late", needs=("early",)), step("early"))
        self.assertEqual(started, ["early", "late"])

    def test_failure_skips_what_needs_it(self) -> None:
        started, skipped, _ = self.run_all(
            step("a"), step("b", needs=("a",)), step("c", after=("b",)), step("d"), failing=frozenset({"a"})
        )
        self.assertEqual((started, skipped), (["a", "d"], ["b", "c"]))

    def test_absent_predecessor_is_not_waited_for(self) -> None:
        started, _, _ = self.run_all(step("b", after=("a",)))
        self.assertEqual(started, ["b"])

    def test_each_step_comes_after_its_predecessors_in_the_list(self) -> None:
        seen: set[str] = set()
        for it in STEPS:
            self.assertLessEqual({*it.needs, *it.after}, seen, it.name)
            seen.add(it.name)


if __name__ == "__main__":
    unittest.main()
