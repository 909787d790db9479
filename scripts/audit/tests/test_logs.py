"""Proves that a secret is found in whatever form, and that logs without anything are not taken for good ones."""

import base64
import unittest

from ..logs import search
from ..reasons import FUNCTIONS

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEtMDEifQ.abcdefghijklmnopqrstuvwxyz"
SECRETS = {
    "body": "body01m86mhs2870r5h4abbp69hq4v",
    "token in the address": TOKEN,
    "token in the header": TOKEN,
    "token key": "a-key-that-nobody-may-see",
}
LOGS = {f"hubbub-local-{function}": "START\nfanned out room:r\nEND\n" for function in FUNCTIONS}


class Searching(unittest.TestCase):
    """Logs with a fault each."""

    def check(self, line: str, *expected: str) -> None:
        logs = {**LOGS, "hubbub-local-connect": f"START\n{line}\n"}
        findings = list(search(SECRETS, ["room:r"], logs))
        self.assertEqual(len(findings), len(expected), findings)
        for finding, part in zip(findings, expected):
            self.assertIn(part, finding)

    def test_logs_without_secrets_are_well(self) -> None:
        self.check("nothing")

    def test_a_body_is_found_in_every_form(self) -> None:
        body = SECRETS["body"]
        found = "`hubbub-local-connect` has logged the body"
        self.check(f'{{"message": "posted", "frame": "{{\\"body\\": \\"{body}\\"}}"}}', found)
        self.check(f"frame: {list(body.encode())}", found)
        self.check(body.encode().hex(), found)
        for before in ("", "a", "ab", "abc"):
            self.check(base64.b64encode(f"{before}{body}tail".encode()).decode(), found)

    def test_a_part_of_a_token_is_found(self) -> None:
        self.check(TOKEN.split(".")[2], "the token in the address", "the token in the header")

    def test_a_token_that_nobody_planted_is_found(self) -> None:
        self.check("token=eyJhbGciOiJub25lIn0.eyJzdWIiOiJib2IifQ.", "what looks like a token")

    def test_logs_that_are_missing_or_not_of_this_run_are_found(self) -> None:
        findings = list(search(SECRETS, ["room:r"], {}))
        self.assertEqual(len(findings), len(FUNCTIONS) + 1, findings)
        self.assertIn("`room:other` is in no log", "".join(search(SECRETS, ["room:other"], LOGS)))
        self.assertIn("these are not the logs of the run", "".join(search(SECRETS, [], LOGS)))

    def test_secrets_that_were_not_sent_or_are_too_short_are_found(self) -> None:
        self.assertIn("no `body` was sent", "".join(search({}, ["room:r"], LOGS)))
        self.assertIn("too short", "".join(search({**SECRETS, "body": "x"}, ["room:r"], LOGS)))
