"""Proves whom the page's server answers, and what it makes of the stack's logs."""

import base64
import hashlib
import hmac
import http.client
import json
import tempfile
import time
import unittest
from pathlib import Path
from threading import Thread
from typing import Any
from unittest.mock import patch

from .. import page
from ..dashboard import Metrics, _refusal
from ..page import PageApi, _Handler, _Server, find_file

KEY = "a key of this test"


class NoStack:
    """Stands where a stack would be: the requests of these tests don't get that far."""


class Server(unittest.TestCase):
    """The server, over real sockets."""

    def setUp(self) -> None:
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.api = PageApi({"webSocketUrl": "ws://127.0.0.1:1/v1"}, KEY, NoStack())  # type: ignore[arg-type]
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> tuple[int, Any, http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server_port, timeout=10)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        text = answer.read().decode()
        is_json = answer.headers["Content-Type"] == "application/json"
        return answer.status, json.loads(text) if is_json else text, answer

    def token(self, body: str, **headers: str) -> tuple[int, Any]:
        return self.ask("POST", "/page/token", body, **{"Content_Type": "application/json", **headers})[:2]

    def test_the_page_and_the_sdk_are_served_and_nothing_beside_them(self) -> None:
        for path, part in (("/page/", "<title>Hubbub</title>"), ("/page/main.js", "import"), ("/sdk/hubbub.js", "connect")):
            status, text, answer = self.ask("GET", path)
            self.assertEqual(status, 200, path)
            self.assertIn(part, text)
            self.assertIn("default-src 'self'", answer.headers["Content-Security-Policy"])
        for path in ("/package.json", "/page/../package.json", "/page/..%2fpackage.json", "/src/hubbub.js", "/page/nothing.js"):
            self.assertEqual(self.ask("GET", path)[0], 404, path)

    def test_its_address_leads_to_the_page(self) -> None:
        status, _, answer = self.ask("GET", "/")
        self.assertEqual((status, answer.headers["Location"]), (302, "/page/"))

    def test_a_link_out_of_the_folder_leads_nowhere(self) -> None:
        with tempfile.TemporaryDirectory() as folder, patch.object(page, "WEB", Path(folder).resolve()):
            (Path(folder) / "page").mkdir()
            (Path(folder) / "page" / "out.js").symlink_to(__file__)
            self.assertIsNone(find_file("/page/out.js"))

    def test_a_token_is_for_the_user_who_was_named(self) -> None:
        status, answer = self.token('{"user": "alice"}')
        self.assertEqual(status, 200)
        head, claims, signature = answer["token"].split(".")
        expected = hmac.digest(KEY.encode(), f"{head}.{claims}".encode(), hashlib.sha256)
        self.assertEqual(_decode(signature), expected)
        read = json.loads(_decode(claims))
        self.assertEqual((read["sub"], "hubbub" in read), ("alice", False))
        self.assertAlmostEqual(read["exp"], time.time() + 3_600, delta=60)

    def test_only_a_moderator_is_granted_admin(self) -> None:
        _, answer = self.token('{"user": "mod", "moderator": true}')
        self.assertEqual(json.loads(_decode(answer["token"].split(".")[1]))["hubbub"]["admin"], ["*"])

    def test_bad_requests_are_told_what_to_change(self) -> None:
        for body, part in (("", "send `{"), ("[]", "send `{"), ('{"user": 1}', "a name has"), ('{"user": "a b"}', "a name has")):
            status, answer = self.token(body)
            self.assertEqual(status, 400, body)
            self.assertIn(part, answer["error"])
        for path, part in (("/page/dashboard?channel=nowhere", "`nowhere` is not a channel"), ("/page/refusals?since=now", "`now`")):
            status, answer, _ = self.ask("GET", path)
            self.assertEqual(status, 400)
            self.assertIn(part, answer["error"])

    def test_no_other_site_gets_a_token(self) -> None:
        self.assertEqual(self.token('{"user": "alice"}', Host="attacker.example")[0], 403)
        self.assertEqual(self.token('{"user": "alice"}', Content_Type="text/plain")[0], 415)
        _, _, answer = self.ask("POST", "/page/token", '{"user": "alice"}', Content_Type="application/json", Origin="http://attacker.example")
        self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])


class Logs(unittest.TestCase):
    """What functions have written."""

    def line(self, namespace: str, **values: Any) -> str:
        metrics = [{"Name": name, "Unit": "Milliseconds" if name == "Age" else "Count"} for name in values]
        metadata = {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": namespace, "Dimensions": [["stack"]], "Metrics": metrics}]}
        return json.dumps({"_aws": metadata, "stack": "local", "function": "deliver", **values})

    def test_counts_are_added_up_and_times_are_kept(self) -> None:
        metrics = Metrics()
        for line in (self.line("Hubbub", Posts=3, Age=[10, 20]), self.line("Hubbub", Posts=4, Age=30)):
            metrics.add(line)
        self.assertEqual((metrics.counts, metrics.times), ({"Posts": 7}, {"Age": [10, 20, 30]}))

    def test_other_lines_are_passed_over(self) -> None:
        metrics = Metrics()
        for line in ("START RequestId: 1", '{"level": "INFO"}', "{broken", "[1]", self.line("Another", Posts=3)):
            metrics.add(line)
        self.assertFalse(metrics.is_any)

    def test_a_refusal_has_a_reason(self) -> None:
        flat = '{"level":"INFO","message":"refused","reason":"the token is not valid"}'
        nested = '{"level":"INFO","fields":{"message":"refused","reason":"there is no token"}}'
        banned = '{"level":"INFO","fields":{"message":"refused: banned","user":"bob"}}'
        self.assertEqual([_refusal(line) for line in (flat, nested, banned)], ["the token is not valid", "there is no token", "banned"])
        self.assertIsNone(_refusal('{"level":"INFO","message":"connected"}'))


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
