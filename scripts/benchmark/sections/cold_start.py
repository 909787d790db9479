"""How long a function takes from the start of its process to its request for the first invocation, and how large it "
"is."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..bench import Bench
from ..blocks import Block, Paragraph, Plot, Table, number, times
from ..figures import MIB, median, percentile, ratio
from ..places import RIVALS
from ..processes import clean_environment
from ..runtime_api import time_start
from ..tools import LeftOut, node, python

TITLE = "Cold start"
NEEDS: tuple[str, ...] = ()

FUNCTIONS = ("authorize", "connect", "disconnect", "receive", "deliver", "announce", "plan-broadcast", "deliver-page")
STARTS = 20
_P95 = 95
_COMPRESSION_LEVEL = 9

# What a function finds in its environment: Lambda's own variables, and Hubbub's as the Pulumi program sets them, with
# the settings' defaults (lambdas/core/src/names.rs and config.rs). No function calls anything of this before its first
# invocation.
_ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "hubbub-benchmark",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/hubbub-benchmark",
    "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/01/[$LATEST]0123456789abcdef",
    "HUBBUB_STACK": "bench",
    "HUBBUB_TABLE": "hubbub",
    "HUBBUB_PRESENCE_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/hubbub-presence.fifo",
    "HUBBUB_PUBLISH_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/hubbub-publish.fifo",
    "HUBBUB_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/hubbub-dead-letters.fifo",
    "HUBBUB_STATE_MACHINE_ARN": "arn:aws:states:us-east-1:123456789012:stateMachine:hubbub-broadcast",
    "HUBBUB_CALLBACK_URL": "https://example.execute-api.us-east-1.amazonaws.com/live",
    "HUBBUB_TOKEN_KEY_PARAMETER": "/hubbub/token-key",
    "HUBBUB_RETENTION_SECONDS": "604800",
    "HUBBUB_MAX_BODY_BYTES": "24576",
    "HUBBUB_INLINE_LIMIT": "1000",
    "HUBBUB_SHARD_MEMBERS": "2000",
    "HUBBUB_PAGE_MEMBERS": "5000",
    "HUBBUB_LEASE_SECONDS": "300",
    "HUBBUB_ROUND_FRAMES": "16",
    "HUBBUB_HISTORY_EVENTS": "15000",
    "HUBBUB_CALLBACK_RPS": "8000",
    "HUBBUB_POST_CONCURRENCY": "128",
    "HUBBUB_POST_TIMEOUT_MS": "3000",
    "HUBBUB_LOG": "info",
    "HUBBUB_TOKEN_ALGORITHM": "HS256",
    "HUBBUB_TOKEN_JWKS_URL": "",
    "HUBBUB_TOKEN_ISSUER": "",
    "HUBBUB_TOKEN_AUDIENCE": "",
    "HUBBUB_DEFAULT_CAPABILITIES": '{"join":["*"]}',
    "HUBBUB_USER_RATE": "20",
    "HUBBUB_USER_BURST": "40",
    "HUBBUB_MAX_ROOMS": "100",
}


def measure(bench: Bench) -> dict[str, Any]:
    """Starts each function, and a hello world in Node and in Python, in turns."""
    environment = clean_environment(**_ENVIRONMENT)
    commands: dict[str, list[str | Path]] = {}
    sizes: dict[str, dict[str, int]] = {}
    left_out: dict[str, str] = {}
    for function in FUNCTIONS:
        with bench.part(f"the size of {function}"):
            binary = bench.binaries.path("functions")
            commands[function] = [binary]
            sizes[function] = {"bytes": binary.stat().st_size, "zip_bytes": _zip_bytes(binary)}
    hellos: dict[str, Callable[[], list[str | Path]]] = {
        "node": lambda: [node(), RIVALS / "hello.mjs"],
        "python": lambda: [python(), RIVALS / "hello.py"],
    }
    for name, find in hellos.items():
        try:
            commands[name] = find()
        except LeftOut as reason:
            left_out[name] = str(reason)
    seconds: dict[str, list[float]] = {}
    for name, command in commands.items():
        with bench.part(f"first start of {name}, which doesn't count"):
            time_start(command, {**environment, "_HANDLER": name})
            seconds[name] = []
    with bench.part(f"{STARTS} starts of each, in turns"):
        for _ in range(STARTS):
            for name, taken in seconds.items():
                taken.append(time_start(commands[name], {**environment, "_HANDLER": name}))
    return {
        "starts": STARTS,
        "left_out": left_out,
        "programs": {
            name: {
                "median_ms": median(taken) * 1e3,
                "p95_ms": percentile(taken, _P95) * 1e3,
                **sizes.get(name, {}),
            }
            for name, taken in seconds.items()
            if taken
        },
    }


def _zip_bytes(binary: Path) -> int:
    """How large the zip is that is handed to Lambda."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION_LEVEL) as archive:
        archive.writestr("bootstrap", binary.read_bytes())
    return zipped.tell()


def describe(data: dict[str, Any]) -> list[Block]:
    """A table of all of them."""
    programs = data["programs"]
    slowest = max((programs[name]["median_ms"] for name in FUNCTIONS if name in programs), default=None)
    rows = [
        (
            name if name in FUNCTIONS else f"{name}, hello world",
            number(program["median_ms"], 1),
            number(program["p95_ms"], 1),
            times(ratio(program["median_ms"], slowest)),
            number(_mib(program.get("bytes")), 2),
            number(_mib(program.get("zip_bytes")), 2),
        )
        for name, program in programs.items()
    ]
    return [
        Paragraph(
            "From the start of the process to the arrival of its request for the first invocation, at a stand-in for "
            f"Lambda's Runtime API on the loopback: {data['starts']} starts of each in turns, after one that doesn't "
            "count, so that the files are in memory. On Lambda, the start of the machine and the loading of the zip "
            "come on top. The hello worlds are loops over the Runtime API with nothing in them and no AWS SDK; AWS's "
            "own runtimes for Node and Python load more than that."
        ),
        *(Paragraph(f"{name} is left out: {reason}.") for name, reason in data["left_out"].items()),
        Table(("<program", "median ms", "p95 ms", "of Hubbub's slowest", "binary MiB", "zip MiB"), rows),
        Plot("cold-start.svg", "Milliseconds from the start of a process to its first request, by program"),
    ]


def _mib(size: int | None) -> float | None:
    return None if size is None else size / MIB
