"""What a post costs: Hubbub's sender beside the AWS SDKs and beside wrk, over plain HTTP and over TLS."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from ..bench import Bench
from ..blocks import Block, Paragraph, Plot, Table, number, percent, times
from ..figures import median, ratio
from ..gateway import Gateway, gateway
from ..processes import run
from ..rounds import take_turns
from ..senders import BODY_BYTES, Outcome, Sender, make_senders

TITLE = "Posting"
NEEDS: tuple[str, ...] = ()

# Hubbub with few and with many posts: its memory must not grow with them.
FLATNESS_POSTS = (20_000, 100_000)
TRANSPORTS = {"http": "plain HTTP", "tls": "TLS"}


def measure(bench: Bench) -> dict[str, Any]:
    """Has all senders take turns, over each transport; then looks at each one's start, and at Hubbub's memory."""
    senders, left_out = make_senders(bench)
    data: dict[str, Any] = {
        "body_bytes": BODY_BYTES,
        "rounds": bench.rounds,
        "senders": {name: sender.what for name, sender in senders.items()},
        "left_out": left_out,
        "transports": {},
    }
    for transport in TRANSPORTS:
        with _serving(bench, transport) as to:
            data["transports"][transport] = _compare(bench, senders, transport, to)
    data["start_cpu_ms"] = _measure_starts(bench, senders)
    data["flatness"] = _measure_flatness(bench, senders["hubbub"])
    with bench.part("the least peak that can be seen"):
        data["least_peak_mib"] = run(["true"], timeout_seconds=10).peak_mib
    return data


def _serving(bench: Bench, transport: str) -> AbstractContextManager[Gateway]:
    return gateway(bench.binaries, tls=transport == "tls")


def _compare(bench: Bench, senders: dict[str, Sender], transport: str, to: Gateway) -> dict[str, Any]:
    def entrant(sender: Sender) -> Callable[[], Outcome]:
        return lambda: sender.run(to, sender.posts(bench.quick))

    entrants = {name: entrant(sender) for name, sender in senders.items()}
    compared = {}
    for name, outcomes in take_turns(bench, TRANSPORTS[transport], entrants, bench.rounds).items():
        compared[name] = {**_medians(outcomes), "rounds": [asdict(outcome) for outcome in outcomes]}
        complaints = [outcome.complaint for outcome in outcomes if outcome.failed]
        if complaints:
            failed, posts = (sum(getattr(outcome, count) for outcome in outcomes) for count in ("failed", "posts"))
            error = f"{failed:,} of {posts:,} posts failed; it said: {complaints[0]}"
            bench.fail(f"{name} over {TRANSPORTS[transport]}", error)
    return compared


def _medians(outcomes: list[Outcome]) -> dict[str, float]:
    figures = {
        name: median([getattr(outcome, name) for outcome in outcomes])
        for name in ("posts", "posts_per_second", "cpu_us_per_post", "peak_mib")
    }
    return {**figures, "failed": sum(outcome.failed for outcome in outcomes)}


def _measure_starts(bench: Bench, senders: dict[str, Sender]) -> dict[str, float]:
    """The processor time of a process that makes one post only."""
    with _serving(bench, "http") as to:
        entrants = {
            name: lambda sender=sender: sender.run(to, 1).cpu_us_per_post / 1e3
            for name, sender in senders.items()
            if sender.is_counted
        }
        starts = take_turns(bench, "start and one post", entrants, bench.rounds)
    return {name: median(outcomes) for name, outcomes in starts.items()}


def _measure_flatness(bench: Bench, ours: Sender) -> list[dict[str, float]]:
    with _serving(bench, "http") as to:
        entrants = {f"{posts:,} posts": lambda posts=posts: ours.run(to, posts) for posts in FLATNESS_POSTS}
        outcomes = take_turns(bench, "memory", entrants, bench.rounds)
    return [_medians(taken) for taken in outcomes.values()]


def describe(data: dict[str, Any]) -> list[Block]:
    """Two tables of all senders, and one of Hubbub's memory."""
    return [
        Paragraph(
            f"Posts of {data['body_bytes']:,} bytes to a stand-in for API Gateway on the same machine, with which they "
            f"share its processors; each figure is the median of {data['rounds']} rounds, in which the senders took "
            "turns. Posts a second are counted while it posts. Processor time and the peak of memory are the whole "
            "process's, with its start; “start” is the processor time of a process that makes one post. Senders may "
            "make different numbers of posts in a round (wrk posts for a fixed time, and `--quick` has slow ones post "
            "less), so figures are for each post, and a start weighs more where there are fewer."
            + (
                f" Peaks below some {number(math.ceil(data['least_peak_mib']))} MiB can't be told apart."
                if "least_peak_mib" in data
                else ""
            )
        ),
        Paragraph("\n".join(f"- `{name}`: {what}." for name, what in data["senders"].items())),
        *(Paragraph(f"{tool} is left out: {reason}.") for tool, reason in data["left_out"].items()),
        *_describe_transports(data),
        Plot("posting.svg", "Posts a second and processor time for each post, by sender, over plain HTTP and TLS"),
        *_describe_flatness(data.get("flatness", [])),
    ]


def _describe_transports(data: dict[str, Any]) -> list[Block]:
    headings = (
        "<over",
        "<sender",
        "posts",
        "posts/s",
        "of wrk's",
        "CPU µs/post",
        "of hubbub's",
        "start, CPU ms",
        "peak MiB",
        "of hubbub's",
        "failed",
    )
    starts = data.get("start_cpu_ms", {})
    rows = []
    for transport, outcomes in data["transports"].items():
        ours, fastest = outcomes.get("hubbub", {}), outcomes.get("wrk", {})
        for name, outcome in outcomes.items():
            rows.append(
                (
                    TRANSPORTS[transport],
                    name,
                    number(outcome["posts"]),
                    number(outcome["posts_per_second"]),
                    percent(ratio(outcome["posts_per_second"], fastest.get("posts_per_second"))),
                    number(outcome["cpu_us_per_post"], 1),
                    times(ratio(outcome["cpu_us_per_post"], ours.get("cpu_us_per_post"))),
                    number(starts.get(name)),
                    number(outcome["peak_mib"], 1),
                    times(ratio(outcome["peak_mib"], ours.get("peak_mib"))),
                    number(outcome["failed"]),
                )
            )
    return [Table(headings, rows)]


def _describe_flatness(flatness: list[dict[str, float]]) -> list[Block]:
    if not flatness:
        return []
    least = flatness[0]["peak_mib"]
    rows = [
        (
            number(row["posts"]),
            number(row["peak_mib"], 1),
            times(ratio(row["peak_mib"], least)),
            number(row["cpu_us_per_post"], 1),
        )
        for row in flatness
    ]
    return [
        Paragraph("The memory of Hubbub's sender with few and with many posts, over plain HTTP:"),
        Table(("posts", "peak MiB", "of the first", "CPU µs/post"), rows),
    ]
