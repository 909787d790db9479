"""The demo on the local stack: how long messages take from one client to all, inline and by the state machine."""

from __future__ import annotations

import os
from typing import Any

from ..bench import Bench
from ..blocks import Block, Paragraph, Table, number
from ..places import ROOT
from ..processes import last_json, run

TITLE = "End to end"
NEEDS: tuple[str, ...] = ()

MESSAGES = 20
# Clients of the room, and the limits above which a room goes to the state machine: over and under their number.
QUICK_CLIENTS = (200,)
MORE_CLIENTS = (1_000,)
INLINE_LIMITS = {"inline": 1_000, "state machine": 50}

_TIMEOUT_SECONDS = 1_200
_FIELDS = ("delivered", "missing", "rounds", "posts", "p50_ms", "p99_ms", "last_ms")


def measure(bench: Bench) -> dict[str, Any]:
    """Runs the demo by each way; it fails where a message goes missing."""
    rows = []
    for clients in QUICK_CLIENTS + (() if bench.quick else MORE_CLIENTS):
        for way, limit in INLINE_LIMITS.items():
            with bench.part(f"{clients:,} clients, {way}"):
                command = [
                    ROOT / "scripts" / "demo",
                    *("--clients", str(clients)),
                    *("--messages", str(MESSAGES)),
                    *("--inline-limit", str(limit)),
                    "--json",
                ]
                # The demo builds what it runs, so it gets the whole environment.
                said = last_json(run(command, timeout_seconds=_TIMEOUT_SECONDS, environment=os.environ), *_FIELDS)
                rows.append({"clients": clients, "way": way, **{field: said[field] for field in _FIELDS}})
    return {"messages": MESSAGES, "rows": rows}


def describe(data: dict[str, Any]) -> list[Block]:
    """A table by clients and way."""
    if not data["rows"]:
        return []
    cells = [
        (
            row["way"],
            number(row["clients"]),
            number(row["delivered"]),
            number(row["missing"]),
            number(row["rounds"]),
            number(row["posts"]),
            number(row["p50_ms"]),
            number(row["p99_ms"]),
            number(row["last_ms"]),
        )
        for row in data["rows"]
    ]
    return [
        Paragraph(
            f"`scripts/demo` with {data['messages']} messages to a room: from the moment that a client publishes to "
            "the arrival at each of the others. All of it runs on this machine, on an AWS emulator whose own speed is "
            "a part of every figure, and with functions that were built for debugging: this shows what the way of "
            "delivery does, and not what AWS would take."
        ),
        Table(("<way", "clients", "delivered", "missing", "rounds", "posts", "p50 ms", "p99 ms", "last ms"), cells),
    ]
