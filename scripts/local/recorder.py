"""A proxy between the functions and the emulator that records each function's calls.

It passes every byte on unchanged and only reads along. Signatures therefore stay valid: a function signs for the proxy's
address, and the emulator checks the signature against the `Host` header that it gets. Each function signs with an access
key of its own. The environment of the calling process tells which function has that key.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .calls import Call, Request, calls_of, credential_of
from .errors import LocalError

CALLS = "calls.json"

_HOST = "127.0.0.1"
_PROCESSES = Path("/proc")
_CHUNK = 1 << 16
_START_SECONDS = 10

# The function of a call that isn't signed, or is signed with an unknown key.
_UNKNOWN = "?"


class Requests:
    """Splits the bytes of a connection into requests."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, data: bytes) -> Iterator[Request]:
        """The requests that these bytes complete.

        Raises:
            ValueError: the bytes aren't HTTP, or a body has no length. The SDK and the poster always send one.
        """
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._unread[:end].decode("latin-1").split("\r\n")
            method, target, _ = first.split(" ")
            fields = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            if "transfer-encoding" in headers:
                raise ValueError("the body has no length")
            size = end + 4 + int(headers.get("content-length", "0"))
            if len(self._unread) < size:
                return
            yield Request(method, target, headers, bytes(self._unread[end + 4 : size]))
            del self._unread[:size]


class Recorder:
    """A proxy to the emulator at a port. It may listen before the emulator does."""

    def __init__(self, upstream_port: int) -> None:
        self.endpoint = ""
        self._upstream_port = upstream_port
        self._counts: Counter[tuple[str, Call]] = Counter()
        self._owners: dict[str, str] = {}
        self._account = ""
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        """Listens on a free port.

        Raises:
            LocalError: it can't, or this host doesn't show the environments of processes.
        """
        if not _PROCESSES.is_dir():
            raise LocalError("recording calls needs Linux: `/proc` tells which function has which access key")
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise LocalError("the recorder doesn't listen")

    def know_account(self, account: str) -> None:
        """Sets the account of the called resources. It must be set before the first call."""
        self._account = account

    def stop(self) -> None:
        """Closes all connections. The recorded calls stay."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def save(self, folder: Path) -> None:
        """Writes each function's calls with their counts."""
        counts = sorted(self._counts.items(), key=lambda item: (self._owner(item[0][0]), str(item[0][1])))
        calls = [
            {"function": self._owner(key), "action": call.action, "resource": call.resource, "count": count}
            for (key, call), count in counts
        ]
        (folder / CALLS).write_text(json.dumps(calls, indent=2) + "\n")

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._pass_on, _HOST, 0)
        self.endpoint = f"http://{_HOST}:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stopping.wait()
        server.close()
        connections = asyncio.all_tasks() - {asyncio.current_task()}
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connects a client to the emulator. When either side closes, the other is closed too."""
        try:
            upstream_reader, upstream_writer = await asyncio.open_connection(_HOST, self._upstream_port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._pass_requests(reader, upstream_writer), _pass_bytes(upstream_reader, writer))
        except (OSError, asyncio.CancelledError):
            # A function that was killed, or the stack's end.
            pass
        finally:
            upstream_writer.close()
            writer.close()

    async def _pass_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests = Requests()
        while data := await reader.read(_CHUNK):
            try:
                # Recorded before it is passed on: its sender still waits, so the process still exists.
                for request in requests.feed(data):
                    self._note(request)
            except ValueError:
                self._counts[_UNKNOWN, Call("?", "?")] += 1
            writer.write(data)
            await writer.drain()
        _end(writer)

    def _note(self, request: Request) -> None:
        credential = credential_of(request)
        if credential is None:
            self._counts[_UNKNOWN, Call(f"{request.method} {request.target}", "?")] += 1
            return
        key = credential.access_key_id
        if key not in self._owners and (owner := _function_with(key)):
            self._owners[key] = owner
        for call in calls_of(request, credential, self._account):
            self._counts[key, call] += 1

    def _owner(self, key: str) -> str:
        return self._owners.get(key, _UNKNOWN)


@contextmanager
def recording(upstream_port: int) -> Iterator[Recorder]:
    """Records for as long as the block runs."""
    recorder = Recorder(upstream_port)
    try:
        recorder.start()
        yield recorder
    finally:
        recorder.stop()


async def _pass_bytes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    _end(writer)


def _end(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.write_eof()


def _function_with(access_key_id: str) -> str | None:
    """The function with this access key, from the environments of the running processes."""
    for process in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            pairs = (process / "environ").read_bytes().decode("utf-8", "replace").split("\0")
            environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
            if environment.get("AWS_ACCESS_KEY_ID") == access_key_id:
                return environment.get("AWS_LAMBDA_FUNCTION_NAME")
    return None
