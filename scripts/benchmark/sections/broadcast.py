"""Broadcasts: how near they come to the quota's floor, what they take as rooms grow, and what happens to a fast "
"channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..bench import Bench
from ..blocks import Block, Paragraph, Plot, Table, number, significant, times
from ..figures import ratio
from ..processes import last_json, run

TITLE = "Broadcast"
NEEDS: tuple[str, ...] = ()

# Members of a room, the posts a second that the stack may make, and how many such rooms there are.
QUICK_QUOTAS = ((1_000, 10_000, 1), (10_000, 10_000, 1), (100_000, 10_000, 1), (10_000, 50_000, 1), (10_000, 10_000, 2))
MORE_QUOTAS = ((1_000_000, 10_000, 1), (100_000, 50_000, 1), (1_000_000, 50_000, 1))
QUICK_GROWTH = (100, 1_000, 10_000, 100_000)
MORE_GROWTH = (1_000_000,)
COALESCING_MEMBERS = 10_000
COALESCING_RATES = (1, 10, 100)
COALESCING_SECONDS = 10
QUICK_COALESCING_SECONDS = 6
# The posts a second that the stack may make while it coalesces.
COALESCING_QUOTA = 10_000

# A run may take its floor many times over before it is given up.
_TIMEOUT_SECONDS = 1_200

_QUOTA_FIELDS = (
    "members",
    "quota",
    "account_quota",
    "rooms",
    "senders",
    "seconds",
    "posts",
    "throttled",
    "inbound",
    "inbound_refused",
    "cpu_us_per_post",
    "peak_mib",
    "room_seconds",
)
_GROWTH_FIELDS = (
    "members",
    "seconds",
    "posts",
    "cpu_us_per_member",
    "peak_mib",
    "read_units_per_member",
    "bytes_per_member",
)
_COALESCING_FIELDS = (
    "members",
    "body_bytes",
    "quota",
    "rate",
    "seconds",
    "messages",
    "rounds",
    "posts",
    "posts_per_member_per_second",
    "oldest_unsent_ms_p50",
    "oldest_unsent_ms_max",
)


def measure(bench: Bench) -> dict[str, Any]:
    """Runs each broadcast once: the quota, and not the machine, decides about the time."""
    binary = bench.binaries.path("broadcast")
    data: dict[str, Any] = {"quota": [], "growth": [], "coalescing": []}
    for members, quota, rooms in QUICK_QUOTAS + (() if bench.quick else MORE_QUOTAS):
        with bench.part(_room(members, rooms) + f" at {quota:,} posts/s"):
            arguments = {"members": members, "quota": quota, "rooms": rooms}
            data["quota"].append(_run(binary, "quota", arguments, _QUOTA_FIELDS))
    for members in QUICK_GROWTH + (() if bench.quick else MORE_GROWTH):
        with bench.part(f"what a broadcast to {members:,} members takes"):
            data["growth"].append(_run(binary, "growth", {"members": members}, _GROWTH_FIELDS))
    seconds = QUICK_COALESCING_SECONDS if bench.quick else COALESCING_SECONDS
    for rate in COALESCING_RATES:
        with bench.part(f"{rate} messages/s to {COALESCING_MEMBERS:,} members for {seconds} s"):
            arguments = {"members": COALESCING_MEMBERS, "quota": COALESCING_QUOTA, "rate": rate, "seconds": seconds}
            data["coalescing"].append(_run(binary, "coalescing", arguments, _COALESCING_FIELDS))
    return data


def _run(binary: Path, what: str, arguments: dict[str, int], fields: tuple[str, ...]) -> dict[str, Any]:
    options = [word for name, value in arguments.items() for word in (f"--{name}", str(value))]
    command = [binary, what, *options, "--json"]
    return last_json(run(command, timeout_seconds=_TIMEOUT_SECONDS), *fields)


def _room(members: int, rooms: int) -> str:
    return f"{members:,} members" if rooms == 1 else f"{rooms} rooms of {members:,} members"


def floor_seconds(row: dict[str, Any]) -> float:
    """The least time in which the quota lets all posts of a run through."""
    return float(row["members"] * row["rooms"] / row["quota"])


def describe(data: dict[str, Any]) -> list[Block]:
    """A table and a plot for each of the three."""
    blocks: list[Block] = []
    if data["quota"]:
        blocks += [*_describe_quota(data["quota"])]
    if data["growth"]:
        blocks += [*_describe_growth(data["growth"])]
    if data["coalescing"]:
        blocks += [*_describe_coalescing(data["coalescing"])]
    return blocks


def _describe_quota(rows: list[dict[str, Any]]) -> list[Block]:
    headings = (
        "<room",
        "quota, posts/s",
        "account's",
        "senders",
        "seconds",
        "floor, s",
        "of the floor",
        "throttled",
        "refused of inbound",
        "CPU µs/post",
        "peak MiB",
        "rooms done after, s",
    )
    cells = [
        (
            _room(row["members"], row["rooms"]),
            number(row["quota"]),
            number(row["account_quota"]),
            number(row["senders"]),
            significant(row["seconds"]),
            significant(floor_seconds(row)),
            times(ratio(row["seconds"], floor_seconds(row))),
            number(row["throttled"]),
            f"{number(row['inbound_refused'])} of {number(row['inbound'])}",
            number(row["cpu_us_per_post"], 1),
            number(row["peak_mib"], 1),
            ", ".join(significant(seconds) for seconds in row["room_seconds"]),
        )
        for row in rows
    ]
    return [
        Paragraph(
            "**At the quota.** One message of 1 KiB to each room, by a stack that may make so many posts a second, on "
            "a gateway that enforces the account's quota, of which requests that come in use the rest. The floor is "
            "all members ÷ the stack's quota; the burst that a rested account has may let a small room be done before "
            "it. Each was run once."
        ),
        Table(headings, cells),
        Plot("broadcast-quota.svg", "Seconds of a broadcast by members, with the floor that the quota sets"),
    ]


def _describe_growth(rows: list[dict[str, Any]]) -> list[Block]:
    headings = ("members", "seconds", "posts", "CPU µs/member", "peak MiB", "read units/member", "bytes/member")
    cells = [
        (
            number(row["members"]),
            significant(row["seconds"]),
            number(row["posts"]),
            number(row["cpu_us_per_member"], 1),
            number(row["peak_mib"], 1),
            significant(row["read_units_per_member"]),
            significant(row["bytes_per_member"]),
        )
        for row in rows
    ]
    return [
        Paragraph(
            "**As rooms grow.** One message of 1 KiB at a fixed rate, on a gateway without a quota: what it takes of "
            "processor, memory, reads and bytes to the gateway."
        ),
        Table(headings, cells),
        Plot(
            "broadcast-growth.svg", "Processor time and read units for each member, and the peak of memory, by members"
        ),
    ]


def _describe_coalescing(rows: list[dict[str, Any]]) -> list[Block]:
    headings = (
        "messages/s",
        "seconds",
        "messages",
        "rounds",
        "posts/s",
        "quota, posts/s",
        "one each: posts/s",
        "of the quota",
        "posts/s/member",
        "oldest unsent, ms: p50",
        "max",
    )
    cells = [
        (
            number(row["rate"]),
            significant(row["seconds"]),
            number(row["messages"]),
            number(row["rounds"]),
            number(row["posts"] / row["seconds"]),
            number(row["quota"]),
            number(row["rate"] * row["members"]),
            times(ratio(row["rate"] * row["members"], row["quota"])),
            significant(row["posts_per_member_per_second"]),
            number(row["oldest_unsent_ms_p50"]),
            number(row["oldest_unsent_ms_max"]),
        )
        for row in rows
    ]
    return [
        Paragraph(
            f"**A fast channel.** Messages of {number(rows[0]['body_bytes'])} bytes. Those that come while a round is "
            "under way share the posts of the next one. Beside it, computed and not measured: a post for each message "
            "and member, against the same quota, above which it never catches up."
        ),
        Table(headings, cells),
        Plot(
            "broadcast-coalescing.svg",
            "Posts a second by the rate of messages: measured, and with a post for each message",
        ),
    ]
