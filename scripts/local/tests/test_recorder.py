"""Proves that the recorder passes everything on unchanged and notes whose call it was."""

import http.client
import json
import os
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..recorder import CALLS, Requests, recording


class Emulator(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"host": self.headers["Host"], "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Is silent."""


class Splitting(unittest.TestCase):
    """Requests in a stream of bytes."""

    def test_requests_are_found_however_the_bytes_are_cut(self) -> None:
        stream = b"POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcDELETE /b HTTP/1.1\r\nhost: h\r\n\r\n"
        for size in (1, 7, len(stream)):
            requests = Requests()
            found = [
                request
                for start in range(0, len(stream), size)
                for request in requests.feed(stream[start : start + size])
            ]
            self.assertEqual(
                [(request.method, request.target, request.body) for request in found],
                [("POST", "/a", b"abc"), ("DELETE", "/b", b"")],
            )

    def test_what_can_not_be_read_is_an_error(self) -> None:
        for data in (b"nonsense\r\n\r\n", b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"):
            with self.subTest(data), self.assertRaises(ValueError):
                list(Requests().feed(data))


class Recording(unittest.TestCase):
    """A recorder before a server."""

    def setUp(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Emulator)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def call(self, endpoint: str, key: str, times: int) -> list[dict[str, str]]:
        """Calls on one connection."""
        connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
        self.addCleanup(connection.close)
        headers = {
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/dynamodb/aws4_request, Signature=0",
            "X-Amz-Target": "DynamoDB_20120810.PutItem",
        }
        answers = []
        for _ in range(times):
            connection.request("POST", "/", '{"TableName": "t"}', headers)
            answers.append(json.loads(connection.getresponse().read()))
        return answers

    def test_calls_are_counted_for_the_function_whose_key_signed_them(self) -> None:
        key = f"ASIATEST{os.getpid()}"
        environment = {"AWS_ACCESS_KEY_ID": key, "AWS_LAMBDA_FUNCTION_NAME": "hubbub-local-connect"}
        function = subprocess.Popen(["sleep", "60"], env={**os.environ, **environment})
        self.addCleanup(function.wait)
        self.addCleanup(function.kill)
        with recording(self.server.server_port) as recorder:
            recorder.know_account("000000000000")
            answers = self.call(recorder.endpoint, key, 2)
            self.call(recorder.endpoint, "ASIASTRANGER", 1)
        host = urlsplit(recorder.endpoint).netloc
        self.assertEqual(answers, [{"host": host, "body": '{"TableName": "t"}'}] * 2, "nothing was changed")
        recorder.save(self.folder)
        table = "arn:aws:dynamodb:us-east-1:000000000000:table/t"
        put = {"action": "dynamodb:PutItem", "resource": table}
        self.assertEqual(
            json.loads((self.folder / CALLS).read_text()),
            [
                {"function": "?", **put, "count": 1},
                {"function": "hubbub-local-connect", **put, "count": 2},
            ],
        )

    def test_where_the_emulator_does_not_listen_a_connection_is_closed(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        with recording(self.server.server_port) as recorder, self.assertRaises((OSError, http.client.HTTPException)):
            self.call(recorder.endpoint, "ASIA", 1)
