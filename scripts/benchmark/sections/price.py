"""What a broadcast costs, from what was measured and from AWS's prices."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .. import prices
from ..bench import Bench
from ..blocks import Block, Paragraph, Plot, Table, number, percent, significant
from ..errors import BenchError
from ..prices import Measured, price

TITLE = "Price"
NEEDS: tuple[str, ...] = ("broadcast",)

MEMBERS = (100, 1_000, 10_000, 100_000, 1_000_000)


def measure(bench: Bench) -> dict[str, Any]:
    """Computes, from the broadcasts that this run has measured."""
    rows: list[dict[str, Any]] = []
    with bench.part("what broadcasts cost"):
        broadcast = bench.measured.get("broadcast", {})
        growth = broadcast.get("growth", [])
        if not growth:
            raise BenchError("there is nothing to compute with, because no growth was measured")
        timed = {
            row["members"]: {"seconds": row["seconds"], "senders": row["senders"]}
            for row in broadcast["quota"]
            if row["quota"] == prices.QUOTA and row["rooms"] == 1
        }
        for members in MEMBERS:
            nearest = _nearest(growth, members)
            measured = Measured(
                members=members,
                cpu_us_per_member=nearest["cpu_us_per_member"],
                read_units_per_member=nearest["read_units_per_member"],
                **timed.get(members, {}),
            )
            result = price(measured)
            rows.append(
                {
                    **asdict(measured),
                    **asdict(result),
                    "added": result.added,
                    "added_share": result.added_share,
                    "growth_of": nearest["members"],
                }
            )
    return {"rows": rows}


def _nearest(growth: list[dict[str, Any]], members: int) -> dict[str, Any]:
    """The room of this size, or else the largest below it, or else the smallest of all."""
    below = [row for row in growth if row["members"] <= members]
    return max(below, key=_members) if below else min(growth, key=_members)


def _members(row: dict[str, Any]) -> int:
    return int(row["members"])


def describe(data: dict[str, Any]) -> list[Block]:
    """A table by members."""
    if not data["rows"]:
        return []
    headings = (
        "members",
        "API Gateway",
        "Lambda",
        "DynamoDB",
        "Step Functions",
        "added in all",
        "added",
        "billed, s",
        "<time at the quota",
        "<the rest is of",
    )
    cells = [
        (
            number(row["members"]),
            _dollars(row["api_gateway"]),
            _dollars(row["lambda_"]),
            _dollars(row["dynamodb"]),
            _dollars(row["step_functions"]),
            _dollars(row["added"]),
            percent(row["added_share"], 1),
            significant(row["billed_seconds"]),
            "members ÷ quota" if row["seconds"] is None else "measured",
            f"{number(row['growth_of'])} members",
        )
        for row in data["rows"]
    ]
    return [
        Paragraph(
            "One message of 1 KiB to all members, at the prices of us-east-1 in November 2026 (`prices.py` has them). "
            "Measured: processor time and read units for each member, in the room that the last column names, and the "
            f"time at the quota where the table says so. Computed: the rest. Up to {prices.INLINE_LIMIT:,} members one "
            f"invocation delivers; above, {prices.SENDERS} senders on arm64 with 1,769 MB share a quota of "
            f"{prices.QUOTA:,} posts/s, are billed for as long as they run, and a broadcast of one round takes "
            f"{prices.BROADCAST_TRANSITIONS} transitions and one for each page of {prices.PAGE_MEMBERS:,} members. "
            "Processor time is this machine's, not Lambda's. Left out, because they come with a message and not with a "
            "member: the queue's requests and the log's writes. Also left out: data transfer and connection-minutes."
        ),
        Table(headings, cells),
        Plot("price.svg", "What comes on top of API Gateway's charge, by members and by part"),
    ]


def _dollars(value: float) -> str:
    return f"${significant(value)}"
