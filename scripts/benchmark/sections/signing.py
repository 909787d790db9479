"""What signing costs, by how many requests are signed at once: on one thread, and spread over all of them."""

from __future__ import annotations

from typing import Any

from ..bench import Bench
from ..blocks import Block, Paragraph, Plot, Table, number, significant, times
from ..figures import ratio
from ..processes import last_json, run

TITLE = "Signing"
NEEDS: tuple[str, ...] = ()

# How often each page is signed each way; the median counts.
QUICK_ROUNDS = 40
ROUNDS = 200

_TIMEOUT_SECONDS = 600


def measure(bench: Bench) -> dict[str, Any]:
    """Runs the benchmark of signatures, which takes turns and medians by itself."""
    rounds = QUICK_ROUNDS if bench.quick else ROUNDS
    with bench.part(f"pages of signatures, {rounds} rounds"):
        command = [bench.binaries.path("signing"), "--rounds", str(rounds), "--json"]
        said = last_json(run(command, timeout_seconds=_TIMEOUT_SECONDS), "rows", "threads", "pays_from")
        return {"rounds": rounds, **said}
    return {}


def describe(data: dict[str, Any]) -> list[Block]:
    """A table by page, and from where threads pay."""
    if not data:
        return []
    pays_from = data["pays_from"]
    verdict = (
        "Threads pay at no size of a page that was tried."
        if pays_from is None
        else f"Threads pay from {number(pays_from)} posts at once."
    )
    rows = [
        (
            number(row["page"]),
            significant(row["one_thread_us"]),
            significant(row["rayon_us"]),
            times(ratio(row["rayon_us"], row["one_thread_us"])),
        )
        for row in data["rows"]
    ]
    return [
        Paragraph(
            f"The time to make and sign the requests of a page, on one thread and by rayon on {data['threads']} "
            f"threads: medians of {data['rounds']} rounds. {verdict}"
        ),
        Table(("posts of the page", "one thread, µs", "rayon, µs", "of one thread's"), rows),
        Plot("signing.svg", "Microseconds for each signature by the size of a page, on one thread and by rayon"),
    ]
