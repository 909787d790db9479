"""Serves the page in a browser on this machine, and what it needs of the stack: its address, tokens, and how it is doing.

It gives a token to whoever asks, so it listens on the loopback alone and answers only those who came to it by that name:
no other site's script can have it answer, and none can read an answer.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.exceptions

from .aws import Aws
from .build import ROOT
from .machine import Machine
from .ministack import HOST
from .tokens import sign_token

WEB = ROOT / "clients" / "web"
FOLDERS = ("page", "sdk")

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CHANNEL = re.compile(r"everyone|(room|user):[A-Za-z0-9._:-]{1,64}")
_TOKEN_SECONDS = 3_600
_MOST_BYTES = 4_096
_MODERATOR = {verb: ["*"] for verb in ("join", "publish", "history", "who", "direct", "admin")}
# Nothing but what comes from here runs, and what it speaks to is on this machine.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'none'; connect-src 'self' ws://{HOST}:* http://{HOST}:*"
)


class Refusal(Exception):
    """A request that can't be answered as it is, with a sentence that says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def serving_page(port: int, outputs: Mapping[str, Any]) -> Iterator[str]:
    """The page's address, which answers for as long as the block runs."""
    aws = Aws(outputs["awsEndpoint"], attempts=1, timeout_seconds=10)
    key = aws("ssm").get_parameter(Name=outputs["tokenKeyParameter"], WithDecryption=True)["Parameter"]["Value"]
    server = _Server((HOST, port), _Handler)
    server.desk = Desk(outputs, key, Machine(aws, outputs))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class Desk:
    """What the page may ask for, beside its own files."""

    def __init__(self, outputs: Mapping[str, Any], key: str, machine: Machine) -> None:
        self._outputs = outputs
        self._key = key
        self._machine = machine

    def stack(self) -> dict[str, Any]:
        """How the page gets on: the file that whoever serves it elsewhere writes by hand."""
        return {
            "url": self._outputs["webSocketUrl"],
            # The emulator answers no subprotocol.
            "auth": "query",
            "tokenUrl": "token",
            "refusalsUrl": "refusals",
            "machineUrl": "machine",
        }

    def token(self, body: bytes) -> dict[str, Any]:
        """A token for the user who is named."""
        try:
            wanted = json.loads(body)
            user, is_moderator = wanted["user"], wanted.get("moderator", False)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, 'send `{"user": "…"}`, and `"moderator": true` if wanted') from error
        if not isinstance(user, str) or not _ID.fullmatch(user):
            raise Refusal(HTTPStatus.BAD_REQUEST, "a name has 1 to 64 of `A–Z a–z 0–9 . _ : -`")
        grant = _MODERATOR if is_moderator is True else None
        return {"token": sign_token(self._key, user, seconds=_TOKEN_SECONDS, grant=grant)}

    def machine(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """How the machine is doing, and the named channels."""
        channels = query.get("channel", [])
        for name in channels:
            if not _CHANNEL.fullmatch(name):
                raise Refusal(HTTPStatus.BAD_REQUEST, f"`{name}` is not a channel")
        return self._machine.read(_moment(query), channels)

    def refusals(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Why sockets were refused lately."""
        since = _moment(query) or 0
        return {"reasons": self._machine.refusals(since)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    desk: Desk


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, act: Any) -> None:
        # Whoever left meanwhile needs no answer.
        with suppress(ConnectionError):
            try:
                self._check_host()
                act(urlsplit(self.path))
            except Refusal as refusal:
                self._send_json({"error": str(refusal)}, refusal.status)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                self._send_json({"error": f"the stack doesn't answer: {error}"}, HTTPStatus.BAD_GATEWAY)

    def _check_host(self) -> None:
        """Another site's name may be made to lead here; then the browser takes its scripts for ours."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            raise Refusal(HTTPStatus.FORBIDDEN, f"ask for http://{HOST}:{port}/")

    def _get(self, url: Any) -> None:
        desk = self.server.desk
        query = parse_qs(url.query)
        if url.path in ("/", "/page"):
            self._send(HTTPStatus.FOUND, b"", {"Location": "/page/"})
        elif url.path == "/page/stack.json":
            self._send_json(desk.stack())
        elif url.path == "/page/machine":
            self._send_json(desk.machine(query))
        elif url.path == "/page/refusals":
            self._send_json(desk.refusals(query))
        else:
            self._send_file(url.path)

    def _post(self, url: Any) -> None:
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and int(length) <= _MOST_BYTES else None
        if body is None:
            self.close_connection = True
            raise Refusal(HTTPStatus.BAD_REQUEST, f"send {_MOST_BYTES} bytes at most, and say how many")
        if url.path != "/page/token":
            raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing at this address")
        # Other sites' pages can send a form without asking first, but not this.
        if self.headers.get("Content-Type") != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send `application/json`")
        self._send_json(self.server.desk.token(body))

    def _send_file(self, path: str) -> None:
        file = find_file(path)
        if file is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing at this address")
        self._send(HTTPStatus.OK, file.read_bytes(), {"Content-Type": _TYPES[file.suffix]})

    def _send_json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        common = {
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Content-Security-Policy": _POLICY,
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        for name, value in {**common, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Is silent: the terminal belongs to the stack."""


def find_file(path: str) -> Path | None:
    """The page's file at an address, if it is one of the page's."""
    wanted = WEB / (path.lstrip("/") + ("index.html" if path.endswith("/") else ""))
    file = wanted.resolve()
    known = any(file.is_relative_to(WEB / folder) for folder in FOLDERS)
    return file if known and file.suffix in _TYPES and file.is_file() else None


def _moment(query: Mapping[str, list[str]]) -> int | None:
    text = query.get("since", [""])[0]
    if text and not text.isdecimal():
        raise Refusal(HTTPStatus.BAD_REQUEST, f"`since` is a time in milliseconds, and not `{text}`")
    return int(text) if text else None
