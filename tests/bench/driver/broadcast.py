"""Broadcasts: how close they are to the quota's floor, what they take as rooms grow, and how messages share posts."""

from __future__ import annotations

from typing import Any

from .bench import Bench, run_json, step
from .markdown import Part, figure, table, times

TITLE = "Broadcast"
PACKAGES = ("hubbub-bench",)

# Members of a room, the stack's posts a second, rooms.
QUICK_QUOTAS = ((1_000, 10_000, 1), (10_000, 10_000, 1), (100_000, 10_000, 1), (10_000, 10_000, 2), (10_000, 50_000, 1))
MORE_QUOTAS = ((1_000_000, 10_000, 1), (100_000, 50_000, 1), (1_000_000, 50_000, 1))
QUICK_GROWTH = (100, 1_000, 10_000, 100_000)
MORE_GROWTH = (1_000_000,)
COALESCING_RATES = (1, 10, 100)


def measure(bench: Bench) -> dict[str, list[Any]]:
    """Runs each broadcast once: most of its time is given by the quota."""

    def run(scenario: str, **options: int) -> Any:
        words = [f"--{name}={value}" for name, value in options.items()]
        with step(f"broadcast {scenario} {' '.join(words)}"):
            return run_json([bench.program(), "broadcast", scenario, *words])

    quotas = QUICK_QUOTAS if bench.quick else QUICK_QUOTAS + MORE_QUOTAS
    growth = QUICK_GROWTH if bench.quick else QUICK_GROWTH + MORE_GROWTH
    return {
        "quota": [run("quota", members=members, quota=quota, rooms=rooms) for members, quota, rooms in quotas],
        "growth": [run("growth", members=members) for members in growth],
        "coalescing": [run("coalescing", rate=rate, seconds=6 if bench.quick else 10) for rate in COALESCING_RATES],
    }


def floor_seconds(row: dict[str, Any]) -> float:
    """The least time in which the quota lets all posts through."""
    return float(row["members"] * row["rooms"] / row["quota"])


def describe(data: dict[str, list[Any]]) -> list[Part]:
    """A table for each of the three."""
    quota = {
        "members": lambda row: f"{row['members']:,}" if row["rooms"] == 1 else f"two rooms of {row['members']:,}",
        "callbackRps": lambda row: f"{row['quota']:,}",
        "seconds": lambda row: " and ".join(figure(seconds) for seconds in row["room_seconds"]),
        "floor": lambda row: figure(floor_seconds(row)),
        "seconds ÷ floor": lambda row: times(row["seconds"] / floor_seconds(row)),
        "429": lambda row: f"{row['throttled']:,}",
        "inbound refused": lambda row: f"{row['inbound_refused']:,} of {row['inbound']:,}",
        "CPU µs/post": lambda row: figure(row["cpu_us_per_post"]),
        "peak MiB": lambda row: figure(row["peak_mib"]),
    }
    growth = {
        "members": lambda row: f"{row['members']:,}",
        "seconds": lambda row: figure(row["seconds"]),
        "CPU µs/member": lambda row: figure(row["cpu_us_per_member"]),
        "peak MiB": lambda row: figure(row["peak_mib"]),
        "read units/member": lambda row: figure(row["read_units_per_member"]),
        "bytes posted/member": lambda row: figure(row["bytes_per_member"]),
    }
    coalescing = {
        "messages/s": lambda row: row["rate"],
        "posts/member/s": lambda row: figure(row["posts_per_member_per_second"]),
        "with one post per message (computed)": lambda row: row["rate"],
        "oldest unsent, median": lambda row: f"{row['oldest_unsent_ms_p50'] / 1e3:.1f} s",
        "longest": lambda row: f"{row['oldest_unsent_ms_max'] / 1e3:.1f} s",
    }
    return [
        Part(
            "A broadcast under a quota",
            "A message of 1 KiB to all members of a room, on a gateway that keeps the account's quota. Requests that "
            "come in use up what `callbackRps` leaves. The floor is members ÷ callbackRps.",
            table(data["quota"], quota),
            "![Seconds of a broadcast by members, with the quota's floor](broadcast-quota.svg)",
        ),
        Part(
            "Growth",
            "A message of 1 KiB at a fixed rate of 20,000 posts/s, on a gateway without a quota.",
            table(data["growth"], growth),
            "![CPU time, read units and memory by members](broadcast-growth.svg)",
        ),
        Part(
            "Coalescing",
            f"Messages of {data['coalescing'][0]['body_bytes']} bytes to a room of "
            f"{data['coalescing'][0]['members']:,}. Messages that arrive during a round share the posts of the next.",
            table(data["coalescing"], coalescing),
        ),
    ]
