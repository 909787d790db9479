"""Signing the requests of a page: from how many requests do threads pay?"""

from __future__ import annotations

from typing import Any

from .bench import Bench, run_json, step
from .markdown import Part, figure, table, times

TITLE = "Signing"
PACKAGES = ("hubbub-bench",)


def measure(bench: Bench) -> Any:
    """Signs each page many times each way, in turns."""
    rounds = 40 if bench.quick else 200
    with step(f"signing, {rounds} rounds"):
        return {"rounds": rounds, **run_json([bench.program(), "signing", "--rounds", rounds])}


def describe(data: dict[str, Any]) -> list[Part]:
    """A table by the size of a page."""
    columns = {
        "requests": lambda row: f"{row['page']:,}",
        "one thread, µs": lambda row: figure(row["one_thread_us"]),
        "all threads, µs": lambda row: figure(row["rayon_us"]),
        "all ÷ one": lambda row: times(row["rayon_us"] / row["one_thread_us"]),
    }
    pays = f"Threads pay from {data['pays_from']:,} requests." if data["pays_from"] else "Threads never pay."
    text = (
        f"The time to make and sign the same requests on one thread and on {data['threads']}, in turns: medians of "
        f"{data['rounds']} rounds. {pays}"
    )
    return [Part(TITLE, text, table(data["rows"], columns))]
