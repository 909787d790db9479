"""A stand-in for Lambda's Runtime API, as far as the start of a function needs it: it takes a function's first request
and leaves it without an answer."""

from __future__ import annotations

import selectors
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .errors import BenchError
from .processes import stop

_NEXT = "GET /2018-06-01/runtime/invocation/next "
_START_SECONDS = 20
# How often it is looked whether the process has ended; a request is seen at once.
_LOOK_SECONDS = 0.05
_CHUNK_BYTES = 4096


def time_start(command: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    """Starts a function and returns the seconds until its request for the first invocation arrives. Then it is killed.

    Raises:
        BenchError: it ends before, asks for something else, or asks for nothing.
    """
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryFile("w+", errors="replace") as said,
    ):
        host, port = listener.getsockname()
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env={**environment, "AWS_LAMBDA_RUNTIME_API": f"{host}:{port}"},
        )
        try:
            asked = _first_line(listener, process, began + _START_SECONDS)
            ended = time.perf_counter()
        except BenchError as error:
            stop(process)
            said.seek(0)
            raise BenchError(f"{error}; it said: {said.read().strip() or 'nothing'}") from None
        finally:
            stop(process)
    if not asked.startswith(_NEXT):
        raise BenchError(f"the first that was asked of the Runtime API is `{asked}`, not the first invocation")
    return ended - began


def _first_line(listener: socket.socket, process: subprocess.Popen[bytes], deadline: float) -> str:
    """The first line of the first request."""
    connection = None
    received = b""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        try:
            while b"\r\n" not in received:
                if time.perf_counter() > deadline:
                    raise BenchError(f"the function has not asked for an invocation within {_START_SECONDS} s")
                if not selector.select(_LOOK_SECONDS):
                    if process.poll() is not None:
                        raise BenchError(
                            f"the function has ended with status {process.returncode} before it asked for an invocation"
                        )
                elif connection is None:
                    connection, _ = listener.accept()
                    selector.unregister(listener)
                    selector.register(connection, selectors.EVENT_READ)
                else:
                    chunk = connection.recv(_CHUNK_BYTES)
                    if not chunk:
                        raise BenchError("the function has hung up in the middle of its request")
                    received += chunk
        finally:
            if connection is not None:
                connection.close()
    return received.split(b"\r\n", 1)[0].decode(errors="replace")
