"""Units of the driver: `python -m unittest discover -s tests/bench/driver -t tests/bench` runs them from the root."""

import unittest
from typing import Any

from .markdown import MISSING, Part, figure, table, times
from .posting import FLOOR, OURS, describe, summarize


def outcome(cpu_us_per_post: list[float]) -> dict[str, Any]:
    return {"start_cpu_ms": 4.0, "cpu_us_per_post": cpu_us_per_post, "failed": 0, "peak_mib": 10.0}


# A quiet round, and one on a busy machine, where everything takes twice as long.
ROUNDS = [
    {OURS: outcome([50.0] + 24 * [20.0]), "boto3": outcome([1_000.0] + 24 * [500.0]), FLOOR: outcome([15.0])},
    {OURS: outcome([100.0] + 24 * [40.0]), "boto3": outcome([2_000.0] + 24 * [1_000.0]), FLOOR: outcome([30.0])},
]


class Posting(unittest.TestCase):
    def test_cold_is_the_first_batch(self) -> None:
        self.assertEqual(summarize("boto3", ROUNDS)["cold_us"], 1_500.0)

    def test_warm_leaves_the_first_batches_out(self) -> None:
        rounds = [{OURS: outcome(5 * [900.0] + 20 * [20.0])}]
        self.assertEqual(summarize(OURS, rounds)["warm_us"], 20.0)

    def test_ratio_is_taken_within_a_round(self) -> None:
        summary = summarize("boto3", ROUNDS)
        self.assertEqual((summary["cold_ratio"], summary["warm_ratio"]), (20.0, 25.0))

    def test_floor_has_no_cold_figure(self) -> None:
        summary = summarize(FLOOR, ROUNDS)
        self.assertNotIn("cold_us", summary)
        self.assertEqual(summary["warm_ratio"], 0.75)

    def test_report_names_who_is_left_out(self) -> None:
        senders = {name: summarize(name, ROUNDS) for name in ROUNDS[0]}
        left_out = ["AWS SDK for JavaScript is left out: `node` is not installed."]
        text = describe({"senders": senders, "rounds": ROUNDS, "left_out": left_out})[0].markdown()
        self.assertIn(left_out[0], text)
        self.assertRegex(text, r"\| boto3 +\| +4.00 \| +1,500 \| +20× \| +750 \| +25× \| +500 to 1,000 \| +10.0 \|")


class Markdown(unittest.TestCase):
    def test_figures_have_three_significant_digits(self) -> None:
        self.assertEqual([figure(value) for value in (12_345.6, 123.4, 24.61, 0.02019)], ["12,346", "123", "24.6", "0.0202"])

    def test_ratios_have_two_significant_digits(self) -> None:
        self.assertEqual([times(4.26), times(15.7)], ["4.3×", "16×"])

    def test_missing_figures_are_dashes(self) -> None:
        self.assertEqual([figure(None), times(None)], [MISSING, MISSING])

    def test_docs_get_the_table_under_its_heading(self) -> None:
        page = "# P\n\n## A\n\nText.\n\n| old |\n\n## B\n\nText.\n\n| old |\n| 1 |\n\nMore.\n"
        changed = page.replace("| old |\n| 1 |", "| new |")
        self.assertEqual(Part("B", "", "| new |").put_into(page), changed)
        with self.assertRaisesRegex(ValueError, "`C`"):
            Part("C", "", "| new |").put_into(page)

    def test_tables_align_figures_to_the_right(self) -> None:
        rows = [("Hubbub", 20_000), ("wrk", 7)]
        self.assertEqual(
            table(rows, {"sender": lambda row: row[0], "posts": lambda row: row[1]}).splitlines(),
            ["| sender | posts |", "| ------ | ----: |", "| Hubbub | 20000 |", "| wrk    |     7 |"],
        )
