"""Proves the arithmetic on figures, and how they are written."""

import unittest

from ..blocks import MISSING, Table, number, percent, significant, times
from ..figures import median, percentile, ratio


class Figures(unittest.TestCase):
    """Medians, percentiles, ratios."""

    def test_a_median_is_the_middle_and_not_the_mean(self) -> None:
        self.assertEqual(median([9.0, 1.0, 2.0]), 2.0)
        self.assertEqual(median([1.0, 4.0, 2.0, 100.0]), 3.0)

    def test_a_percentile_is_one_of_the_values(self) -> None:
        values = [float(value) for value in range(20, 0, -1)]
        self.assertEqual(percentile(values, 95), 19.0)
        self.assertEqual(percentile(values, 100), 20.0)
        self.assertEqual(percentile([7.0], 1), 7.0)

    def test_there_is_no_ratio_to_nothing(self) -> None:
        self.assertEqual(ratio(3.0, 2.0), 1.5)
        self.assertIsNone(ratio(3.0, 0.0))
        self.assertIsNone(ratio(3.0, None))
        self.assertIsNone(ratio(None, 2.0))


class Writing(unittest.TestCase):
    """Figures as text."""

    def check(self, written: str, expected: str) -> None:
        with self.subTest(expected):
            self.assertEqual(written, expected)

    def test_figures_are_rounded_and_thousands_are_set_apart(self) -> None:
        self.check(number(12_345.6), "12,346")
        self.check(number(3.14159, 2), "3.14")
        self.check(percent(0.0321, 1), "3.2 %")
        self.check(times(2.0), "2.00×")

    def test_significant_digits_are_kept_whatever_the_size(self) -> None:
        self.check(significant(0.000012345), "0.0000123")
        self.check(significant(0.9996), "1.00")
        self.check(significant(12_345.0), "12,300")
        self.check(significant(0), "0")

    def test_what_is_missing_is_seen_to_be(self) -> None:
        for written in (number(None), significant(None), percent(None), times(None)):
            self.check(written, MISSING)

    def test_a_table_lines_up_texts_to_the_left_and_figures_to_the_right(self) -> None:
        table = Table(("<sender", "posts"), [("hubbub", "20,000"), ("wrk", "7")])
        self.assertEqual(
            table.markdown().splitlines(),
            ["| sender |  posts |", "| ------ | -----: |", "| hubbub | 20,000 |", "| wrk    |      7 |"],
        )
