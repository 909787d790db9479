"""Proves the arithmetic of prices."""

import unittest

from ..prices import Measured, Price, price


def price_of(members: int, *, cpu_us: float = 40.0, read_units: float = 0.004, seconds: float | None = None) -> Price:
    """The price of a broadcast to so many members."""
    return price(Measured(members, cpu_us, read_units, seconds))


class Prices(unittest.TestCase):
    """Broadcasts by one invocation and by the state machine."""

    def test_a_small_room_is_one_invocation_and_no_transition(self) -> None:
        result = price_of(100)
        self.assertAlmostEqual(result.api_gateway, 0.0001)
        self.assertEqual(result.step_functions, 0)
        self.assertAlmostEqual(result.billed_seconds, 0.01)
        self.assertAlmostEqual(result.dynamodb, 100 * 0.004 * 0.125e-6)
        self.assertAlmostEqual(result.lambda_, 0.01 * 1769 / 1024 * 0.0000133334 + 0.2e-6)

    def test_the_state_machine_takes_over_above_the_inline_limit(self) -> None:
        self.assertEqual(price_of(1_000).step_functions, 0)
        self.assertGreater(price_of(1_001).step_functions, 0)

    def test_a_large_room_pays_for_two_senders_and_a_transition_for_each_page(self) -> None:
        result = price_of(1_000_000)
        self.assertAlmostEqual(result.api_gateway, 1.0)
        self.assertAlmostEqual(result.billed_seconds, 200.0)
        self.assertAlmostEqual(result.step_functions, 206 * 25e-6)
        self.assertAlmostEqual(result.lambda_, 200 * 1769 / 1024 * 0.0000133334 + 202 * 0.2e-6)

    def test_a_room_of_one_page_has_one_sender(self) -> None:
        self.assertAlmostEqual(price_of(5_000).billed_seconds, 0.5)
        self.assertAlmostEqual(price_of(5_001).billed_seconds, 2 * 0.5001)

    def test_a_measured_time_counts_before_the_quotas(self) -> None:
        self.assertAlmostEqual(price_of(100_000, seconds=11.5).billed_seconds, 23.0)

    def test_a_sender_is_billed_for_what_it_computes_at_least(self) -> None:
        self.assertAlmostEqual(price_of(100_000, cpu_us=500.0).billed_seconds, 50.0)

    def test_what_is_added_is_all_but_api_gateways_charge(self) -> None:
        result = price_of(10_000)
        self.assertAlmostEqual(result.added, result.lambda_ + result.dynamodb + result.step_functions)
        self.assertAlmostEqual(result.added_share, result.added / 0.01)
