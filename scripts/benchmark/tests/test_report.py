"""Proves what a report says of figures that are given."""

import unittest
from typing import Any

from ..report import render
from ..sections import SECTIONS, with_needs


def report(sections: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A report that has these sections."""
    return {
        "taken": "2026-11-01T12:00:00+00:00",
        "quick": True,
        "binaries": "target/release",
        "machine": {
            "cores": 2,
            "cpu": "a processor",
            "memory_gib": 8.0,
            "system": "Linux 6.1 x86_64",
            "rustc": "rustc 1.95.0",
            "node": "not installed",
            "python": "3.11.7",
        },
        "load_before": [0.1, 0.2, 0.3],
        "load_after": [1.0, 0.5, 0.4],
        "sections": {name: {"seconds": 1.5, "data": data} for name, data in sections.items()},
        "plots": [],
        "failures": [],
        **more,
    }


def outcome(rate: float, cpu: float) -> dict[str, Any]:
    """A sender's figures."""
    return {"posts": 20_000, "failed": 0, "posts_per_second": rate, "cpu_us_per_post": cpu, "peak_mib": 10.0}


POSTING = {
    "body_bytes": 1024,
    "rounds": 3,
    "senders": {"hubbub": "Hubbub's own", "boto3": "boto3", "wrk": "wrk"},
    "left_out": {"javascript": "`node` is not installed"},
    "transports": {"http": {"hubbub": outcome(15_000, 40), "boto3": outcome(900, 1_000), "wrk": outcome(30_000, 20)}},
    "start_cpu_ms": {"hubbub": 4, "boto3": 500},
    "flatness": [outcome(15_000, 40), {**outcome(15_000, 40), "posts": 100_000, "peak_mib": 11.0}],
}


class Rendering(unittest.TestCase):
    """Reports as Markdown."""

    def check(self, text: str, *expected: str) -> None:
        # The padding of a table is not what this is about.
        squeezed = " ".join(text.split())
        for piece in expected:
            with self.subTest(piece):
                self.assertIn(piece, squeezed)

    def test_the_head_says_on_what_and_under_which_load_it_was_taken(self) -> None:
        self.check(
            render(report({})),
            "a processor, 2 cores",
            "| 2026-11-01T12:00:00+00:00, with --quick |",
            "| load averages before | 0.10, 0.20, 0.30 |",
            "| node | not installed |",
        )

    def test_senders_stand_beside_hubbub_and_wrk(self) -> None:
        self.check(
            render(report({"posting": POSTING})),
            "| plain HTTP | hubbub | 20,000 | 15,000 | 50 % | 40.0 | 1.00× | 4 | 10.0 | 1.00× | 0 |",
            "| plain HTTP | boto3 | 20,000 | 900 | 3 % | 1,000.0 | 25.0× | 500 | 10.0 | 1.00× | 0 |",
            "| plain HTTP | wrk | 20,000 | 30,000 | 100 % | 20.0 | 0.500× | – | 10.0 | 1.00× | 0 |",
            "| 100,000 | 11.0 | 1.10× | 40.0 |",
            "javascript is left out: `node` is not installed.",
        )

    def test_ratios_are_missing_where_hubbub_or_wrk_is(self) -> None:
        alone = {**POSTING, "transports": {"tls": {"boto3": outcome(900, 1_000)}}, "flatness": []}
        self.check(
            render(report({"posting": alone})), "| TLS | boto3 | 20,000 | 900 | – | 1,000.0 | – | 500 | 10.0 | – | 0 |"
        )

    def test_every_section_can_be_told_without_a_part_that_was_measured(self) -> None:
        nothing: dict[str, dict[str, Any]] = {
            "posting": {**POSTING, "transports": {}, "flatness": []},
            "signing": {},
            "broadcast": {"quota": [], "growth": [], "coalescing": []},
            "cold_start": {"starts": 20, "left_out": {}, "programs": {}},
            "price": {"rows": []},
            "end_to_end": {"messages": 20, "rows": []},
        }
        self.assertEqual(set(nothing), set(SECTIONS))
        self.check(render(report(nothing)), *(f"## {section.TITLE}" for section in SECTIONS.values()))

    def test_a_plot_is_shown_where_it_was_drawn(self) -> None:
        self.assertNotIn("posting.svg", render(report({"posting": POSTING})))
        self.assertIn("(posting.svg)", render(report({"posting": POSTING}, plots=["posting.svg"])))

    def test_what_failed_is_said(self) -> None:
        failure = {"section": "posting", "part": "boto3", "error": "it broke; it said:\n  why"}
        self.check(render(report({}, failures=[failure])), "## What failed - posting: boto3: it broke; it said: why")

    def test_the_duration_of_each_section_and_of_all_is_said(self) -> None:
        self.check(render(report({"posting": POSTING, "signing": {}})), "| Signing | 1.5 | | all | 3.0 |")


class Choosing(unittest.TestCase):
    """Which sections run."""

    def test_a_section_brings_what_it_needs_and_before_it(self) -> None:
        self.assertEqual(with_needs(["price"]), ["broadcast", "price"])
        self.assertEqual(with_needs(["end_to_end", "posting"]), ["posting", "end_to_end"])
