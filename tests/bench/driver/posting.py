"""What a post costs: Hubbub's poster beside the AWS SDKs, over TLS.

Every sender does the same: it makes its client, then posts as many batches of the same size, as many posts at once, to
the same gateway, and reads its own CPU time after each batch. The first batch is the cold figure: it includes the
connections and whatever the language still has to load or compile. The warm figure leaves the first batches out. The
start of the process is in neither.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, median
from typing import Any

from .bench import RIVALS, Bench, BenchError, NotInstalled, installed, run_json, say, step
from .markdown import Part, figure, table, times

TITLE = "Posting"
PACKAGES = ("hubbub-bench",)

BATCHES = 25
BATCH_POSTS = 1_000
WARM_UP_BATCHES = 5
BODY_BYTES = 1_024
# How many sockets the AWS SDK for JavaScript opens at most, unless it is told otherwise.
CONCURRENCY = 50

OURS = "Hubbub"
FLOOR = "wrk"
_WRK_SECONDS = 5

# Takes the gateway's URL, its certificate, and the work as JSON.
Command = Callable[[str, Path, str], list[object]]


def measure(bench: Bench) -> dict[str, Any]:
    """Has all senders post, in turns."""
    senders: dict[str, Command] = {}
    left_out: list[str] = []
    for name, find in _senders(bench).items():
        try:
            senders[name] = find()
        except NotInstalled as reason:
            left_out.append(f"{name} is left out: {reason}.")
            say(left_out[-1])
    rounds: list[dict[str, Any]] = []
    with bench.gateway() as (url, ca):
        work = json.dumps(
            {
                "url": url,
                "ca": str(ca),
                "batches": BATCHES,
                "batch_posts": BATCH_POSTS,
                "body_bytes": BODY_BYTES,
                "concurrency": CONCURRENCY,
            }
        )
        for number in range(bench.rounds):
            outcomes = {}
            for name, command in senders.items():
                with step(f"posting, round {number + 1} of {bench.rounds}, {name}"):
                    outcomes[name] = run_json(command(url, ca, work))
                if outcomes[name]["failed"]:
                    raise BenchError(f"{outcomes[name]['failed']} posts of {name} have failed")
            rounds.append(outcomes)
    return {"senders": {name: summarize(name, rounds) for name in senders}, "left_out": left_out, "rounds": rounds}


def _senders(bench: Bench) -> dict[str, Callable[[], Command]]:
    def rust(poster: str) -> Command:
        return lambda _url, _ca, work: [bench.program(), "post", "--poster", poster, work]

    def javascript() -> Command:
        node = installed("node")
        if not (RIVALS / "node_modules").is_dir():
            raise NotInstalled("`npm` is not installed")
        return lambda _url, _ca, work: [node, RIVALS / "post.mjs", work]

    def wrk() -> Command:
        options = [installed("wrk"), "-t1", f"-c{CONCURRENCY}", f"-d{_WRK_SECONDS}s", "-s", RIVALS / "post.lua"]
        return lambda url, _ca, _work: [*options, url, "--", BODY_BYTES]

    return {
        OURS: lambda: rust("hubbub"),
        "AWS SDK for Rust": lambda: rust("sdk"),
        "AWS SDK for JavaScript": javascript,
        "boto3": lambda: lambda _url, _ca, work: [sys.executable, RIVALS / "post_boto3.py", work],
        FLOOR: wrk,
    }


def summarize(name: str, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """A sender's figures: medians of all rounds. A ratio is taken within a round, and then the median of all ratios."""

    def cold(outcome: dict[str, Any]) -> float:
        return float(outcome["cpu_us_per_post"][0])

    def warm(outcome: dict[str, Any]) -> float:
        return fmean(outcome["cpu_us_per_post"][WARM_UP_BATCHES:] or outcome["cpu_us_per_post"])

    def ratio(figure_of: Callable[[dict[str, Any]], float]) -> float:
        return median(figure_of(outcomes[name]) / figure_of(outcomes[OURS]) for outcomes in rounds)

    own = [outcomes[name] for outcomes in rounds]
    warm_rounds = [warm(outcome) for outcome in own]
    summary = {
        "start_cpu_ms": median(outcome["start_cpu_ms"] for outcome in own),
        "warm_us": median(warm_rounds),
        "warm_us_range": [min(warm_rounds), max(warm_rounds)],
        "warm_ratio": ratio(warm),
        "peak_mib": median(outcome["peak_mib"] for outcome in own),
        "batches_us": [median(batch) for batch in zip(*(outcome["cpu_us_per_post"] for outcome in own), strict=True)],
    }
    return summary if name == FLOOR else {**summary, "cold_us": median(map(cold, own)), "cold_ratio": ratio(cold)}


def describe(data: dict[str, Any]) -> list[Part]:
    """A table of all senders."""
    columns: dict[str, Callable[[tuple[str, dict[str, Any]]], str]] = {
        "sender": lambda row: row[0],
        "start, CPU ms": lambda row: figure(row[1]["start_cpu_ms"]),
        "cold, CPU µs/post": lambda row: figure(row[1].get("cold_us")),
        "× Hubbub's": lambda row: times(row[1].get("cold_ratio")),
        "warm, CPU µs/post": lambda row: figure(row[1]["warm_us"]),
        "× Hubbub's, warm": lambda row: times(row[1]["warm_ratio"]),
        "lowest to highest": lambda row: " to ".join(map(figure, row[1]["warm_us_range"])),
        "peak MiB": lambda row: figure(row[1]["peak_mib"]),
    }
    text = (
        f"Each sender makes {BATCHES * BATCH_POSTS:,} posts of {BODY_BYTES:,} bytes over TLS, {CONCURRENCY} at once, in "
        f"batches of {BATCH_POSTS:,}. They take turns for {len(data['rounds'])} rounds; figures and ratios are medians "
        "of the rounds. CPU time is the process's, in user and system mode. *Cold* is the first batch of a process. "
        f"*Warm* is the mean of all after the first {WARM_UP_BATCHES * BATCH_POSTS:,} posts. Neither includes the "
        f"start. `{FLOOR}` signs nothing, checks no certificate and posts for {_WRK_SECONDS} s: it is the floor and no "
        "rival."
    )
    plot = "![CPU time of a post by the posts that the process has made](posting.svg)"
    return [Part(TITLE, "\n\n".join([text, *data["left_out"]]), table(list(data["senders"].items()), columns), plot)]
