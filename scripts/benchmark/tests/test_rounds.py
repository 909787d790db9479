"""Proves that what competes takes turns, and that a failure stays its own."""

import unittest
from collections.abc import Callable
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from ..bench import Bench, Failure
from ..errors import BenchError
from ..places import Binaries
from ..rounds import take_turns


class Turns(unittest.TestCase):
    """Rounds of entrants that note when they are called."""

    def setUp(self) -> None:
        self.bench = Bench(quick=True, binaries=Binaries(Path("nowhere")), section="posting")
        self.calls: list[str] = []

    def entrant(self, name: str, fails_at: int | None = None) -> Callable[[], int]:
        def call() -> int:
            self.calls.append(name)
            if self.calls.count(name) == fails_at:
                raise BenchError("it broke")
            return self.calls.count(name)

        return call

    def take_turns(self, entrants: dict[str, Callable[[], int]]) -> dict[str, list[int]]:
        with redirect_stderr(StringIO()):
            return take_turns(self.bench, "TLS", entrants, 3)

    def test_each_round_has_all_entrants(self) -> None:
        outcomes = self.take_turns({"a": self.entrant("a"), "b": self.entrant("b")})
        self.assertEqual("".join(self.calls), "ababab")
        self.assertEqual(outcomes, {"a": [1, 2, 3], "b": [1, 2, 3]})

    def test_an_entrant_that_fails_is_noted_and_left_out_and_the_others_go_on(self) -> None:
        outcomes = self.take_turns({"a": self.entrant("a", fails_at=2), "b": self.entrant("b")})
        self.assertEqual("".join(self.calls), "ababb")
        self.assertEqual(outcomes, {"b": [1, 2, 3]})
        self.assertEqual(self.bench.failures, [Failure("posting", "TLS, round 2 of 3, a", "it broke")])
