"""Cold start: from the start of a process to its first request to the Runtime API."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

from .bench import RIVALS, ROOT, Bench, BenchError, NotInstalled, environment, installed, say, step
from .markdown import Part, figure, table, times

TITLE = "Cold start and size"

_STACK = json.loads((ROOT / "pulumi/stack.json").read_text())
FUNCTIONS = tuple(function["name"] for function in _STACK["functions"])
# All functions are one program. Lambda gives it the function's name as `_HANDLER`.
_BINARY = _STACK["binary"]
PACKAGES = ("hubbub-functions",)

STARTS = 20
_TIMEOUT_SECONDS = 20
_NEXT_INVOCATION = b"GET /2018-06-01/runtime/invocation/next "

# What a function finds in its environment on Lambda. No function calls any of these addresses before its first
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

Command = list[object]


def measure(bench: Bench) -> dict[str, Any]:
    """Starts each function and each rival, in turns, after one start that doesn't count."""
    commands: dict[str, Command] = {name: [bench.program(_BINARY)] for name in FUNCTIONS}
    left_out = []
    for rival, find in _rivals().items():
        try:
            commands[rival] = find()
        except NotInstalled as reason:
            left_out.append(f"{rival} is left out: {reason}.")
            say(left_out[-1])
    starts: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    with step(f"{STARTS} starts of {len(commands)} programs"):
        for _ in range(1 + STARTS):
            for name, command in commands.items():
                starts[name].append(_start(name, command))
    programs = {}
    for name, (_, *counted) in starts.items():
        wall, cpu = zip(*counted, strict=True)
        programs[name] = {"median_ms": median(wall), "p95_ms": quantiles(wall, n=20)[-1], "cpu_ms": median(cpu)}
        if name in FUNCTIONS:
            programs[name]["zip_mib"] = _zip_mib(bench)
    return {"left_out": left_out, "programs": programs}


def _rivals() -> dict[str, Callable[[], Command]]:
    """Hello worlds: without a client of AWS, and with one. Hubbub's functions have two to four clients."""

    def node(*arguments: str) -> Command:
        return [installed("node"), RIVALS / "hello.mjs", *arguments]

    def python(*arguments: str) -> Command:
        return [sys.executable, RIVALS / "hello.py", *arguments]

    return {
        "Node": node,
        "Node, one AWS client": lambda: node("--client"),
        "Python": python,
        "Python, one AWS client": lambda: python("--client"),
    }


def _start(name: str, command: Command) -> tuple[float, float]:
    """Milliseconds from a process's start to its request for an invocation, and of CPU time. Then it is killed."""
    with socket.create_server(("127.0.0.1", 0)) as runtime_api:
        runtime_api.settimeout(_TIMEOUT_SECONDS)
        host, port = runtime_api.getsockname()
        env = environment(**_ENVIRONMENT, _HANDLER=name, AWS_LAMBDA_RUNTIME_API=f"{host}:{port}")
        began = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, env=env)
        try:
            connection, _ = runtime_api.accept()
            request = connection.recv(4_096)
            seconds = time.perf_counter() - began
        except TimeoutError:
            raise BenchError(f"{name} has not asked for an invocation within {_TIMEOUT_SECONDS} s") from None
        finally:
            os.kill(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    # Not earlier: a process that loses its connection would spend time on an error.
    connection.close()
    if not request.startswith(_NEXT_INVOCATION):
        raise BenchError(f"the first request of {name} is {request[:80]!r}, and not for an invocation")
    return seconds * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3


def _zip_mib(bench: Bench) -> float:
    """The size of the zip that Lambda gets."""
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("bootstrap", bench.program(_BINARY).read_bytes())
    return zipped.tell() / (1 << 20)


def describe(data: dict[str, Any]) -> list[Part]:
    """A table of all programs."""
    programs = data["programs"]
    slowest = max(programs[name]["cpu_ms"] for name in FUNCTIONS)
    columns: dict[str, Callable[[tuple[str, dict[str, Any]]], str]] = {
        "program": lambda row: row[0] if row[0] in FUNCTIONS else f"hello world, {row[0]}",
        "median ms": lambda row: figure(row[1]["median_ms"]),
        "p95 ms": lambda row: figure(row[1]["p95_ms"]),
        "CPU ms": lambda row: figure(row[1]["cpu_ms"]),
        "CPU, × Hubbub's most": lambda row: times(row[1]["cpu_ms"] / slowest),
        "zip MiB": lambda row: figure(row[1].get("zip_mib")),
    }
    text = (
        "From the start of the process to its request for the first invocation, at a stand-in for Lambda's Runtime API: "
        f"{STARTS} starts of each, in turns. Files are in memory. Lambda's own start comes on top for all. A hello "
        "world is a loop over the Runtime API; AWS's own runtimes for Node and Python load more than that."
    )
    return [Part(TITLE, "\n\n".join([text, *data["left_out"]]), table(list(programs.items()), columns))]
