"""Serves the page to browsers on this host, with its data: the stack's address, tokens and the dashboard.

It gives a token to anyone who asks. It therefore listens on the loopback address only, and answers only requests that name
that address as their host, so that no script of another site can get or read an answer.
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
from .build import ROOT, STACK
from .dashboard import Dashboard
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
# Only scripts from here run, and they connect only to this host.
_POLICY = (
    "default-src 'self'; img-src 'self' data:; style-src 'self'; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'none'; connect-src 'self' ws://{HOST}:* http://{HOST}:*"
)


class Refusal(Exception):
    """A request that is refused. The text says why."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@contextmanager
def serving_page(port: int, outputs: Mapping[str, Any]) -> Iterator[str]:
    """Serves the page for as long as the block runs; yields its address."""
    aws = Aws(outputs["awsEndpoint"], attempts=1, timeout_seconds=10)
    key = aws("ssm").get_parameter(Name=outputs["tokenKeyParameter"], WithDecryption=True)["Parameter"]["Value"]
    server = _Server((HOST, port), _Handler)
    server.api = PageApi(outputs, key, Dashboard(aws, outputs))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


class PageApi:
    """Answers the page's requests for data: the stack's address, tokens, the dashboard, refusals."""

    def __init__(self, outputs: Mapping[str, Any], key: str, dashboard: Dashboard) -> None:
        self._outputs = outputs
        self._key = key
        self._dashboard = dashboard

    def stack(self) -> dict[str, Any]:
        """The page's configuration. Where the page is served from elsewhere, this is a file written by hand."""
        return {
            "url": self._outputs["webSocketUrl"],
            # The emulator doesn't answer with a subprotocol, so the token can't be one.
            "auth": "query",
            "tokenUrl": "token",
            "refusalsUrl": "refusals",
            "dashboardUrl": "dashboard",
            "functions": [function["name"] for function in STACK["functions"]],
        }

    def token(self, body: bytes) -> dict[str, Any]:
        """A token for the named user."""
        try:
            wanted = json.loads(body)
            user, is_moderator = wanted["user"], wanted.get("moderator", False)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refusal(HTTPStatus.BAD_REQUEST, 'send `{"user": "…"}`, and `"moderator": true` if wanted') from error
        if not isinstance(user, str) or not _ID.fullmatch(user):
            raise Refusal(HTTPStatus.BAD_REQUEST, "a name has 1 to 64 of `A–Z a–z 0–9 . _ : -`")
        grant = _MODERATOR if is_moderator is True else None
        return {"token": sign_token(self._key, user, seconds=_TOKEN_SECONDS, grant=grant)}

    def dashboard(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """What the functions did since a moment, and the state of the named channels."""
        channels = query.get("channel", [])
        for name in channels:
            if not _CHANNEL.fullmatch(name):
                raise Refusal(HTTPStatus.BAD_REQUEST, f"`{name}` is not a channel")
        return self._dashboard.read(_moment(query), channels)

    def refusals(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        """Why sockets were refused since a moment."""
        since = _moment(query) or 0
        return {"reasons": self._dashboard.refusals(since)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: PageApi


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def _answer(self, act: Any) -> None:
        # A client that has left needs no answer.
        with suppress(ConnectionError):
            try:
                self._check_host()
                act(urlsplit(self.path))
            except Refusal as refusal:
                self._send_json({"error": str(refusal)}, refusal.status)
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
                self._send_json({"error": f"the stack doesn't answer: {error}"}, HTTPStatus.BAD_GATEWAY)

    def _check_host(self) -> None:
        """Refuses other host names: a site could point its name here, and the browser would then trust its scripts."""
        port = self.server.server_port
        if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
            raise Refusal(HTTPStatus.FORBIDDEN, f"ask for http://{HOST}:{port}/")

    def _get(self, url: Any) -> None:
        api = self.server.api
        query = parse_qs(url.query)
        if url.path in ("/", "/page"):
            self._send(HTTPStatus.FOUND, b"", {"Location": "/page/"})
        elif url.path == "/page/stack.json":
            self._send_json(api.stack())
        elif url.path == "/page/dashboard":
            self._send_json(api.dashboard(query))
        elif url.path == "/page/refusals":
            self._send_json(api.refusals(query))
        else:
            self._send_file(url.path)

    def _post(self, url: Any) -> None:
        length = self.headers.get("Content-Length", "")
        body = self.rfile.read(int(length)) if length.isdecimal() and int(length) <= _MOST_BYTES else None
        if body is None:
            self.close_connection = True
            raise Refusal(HTTPStatus.BAD_REQUEST, f"send at most {_MOST_BYTES} bytes, with their `Content-Length`")
        if url.path != "/page/token":
            raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing at this address")
        # A browser lets other sites send a form without asking first, but not JSON.
        if self.headers.get("Content-Type") != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send `application/json`")
        self._send_json(self.server.api.token(body))

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
        """Logs nothing: the terminal belongs to the stack."""


def find_file(path: str) -> Path | None:
    """The page's file at an address, or nothing if there is none."""
    wanted = WEB / (path.lstrip("/") + ("index.html" if path.endswith("/") else ""))
    file = wanted.resolve()
    known = any(file.is_relative_to(WEB / folder) for folder in FOLDERS)
    return file if known and file.suffix in _TYPES and file.is_file() else None


def _moment(query: Mapping[str, list[str]]) -> int | None:
    text = query.get("since", [""])[0]
    if text and not text.isdecimal():
        raise Refusal(HTTPStatus.BAD_REQUEST, f"`since` is a time in milliseconds, not `{text}`")
    return int(text) if text else None
