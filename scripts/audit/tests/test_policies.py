"""Proves that parliament looks at every policy, and that wildcards need a reason."""

import json
import unittest
from typing import Any
from unittest.mock import patch

from local.errors import LocalError
from local.program import Program, parse_program

from .. import policies

TABLE = {"type": "aws:dynamodb:Table", "properties": {"name": "t"}}


def program(kind: str, key: str, statement: dict[str, Any]) -> Program:
    """A program with one policy."""
    document = {"fn::toJSON": {"Version": "2012-10-17", "Statement": [statement]}}
    resources = {"table": TABLE, "policy": {"type": kind, "properties": {key: document}}}
    return parse_program(json.dumps({"name": "hubbub", "resources": resources}))


class Finding(unittest.TestCase):
    """Policies with a fault each."""

    def setUp(self) -> None:
        reasons = patch.object(policies, "WILDCARDS", {})
        reasons.start()
        self.addCleanup(reasons.stop)

    def findings(self, kind: str = "aws:iam:RolePolicy", key: str = "policy", **changes: Any) -> list[str]:
        statement = {"Effect": "Allow", "Action": ["dynamodb:PutItem"], "Resource": ["${table.arn}"], **changes}
        return list(policies.find({"cloud": program(kind, key, statement)}))

    def check(self, part: str, **changes: Any) -> None:
        findings = self.findings(**changes)
        self.assertTrue(any(part in finding for finding in findings), findings)

    def test_a_named_action_on_a_named_resource_is_well(self) -> None:
        self.assertEqual(self.findings(), [])

    def test_what_parliament_finds_is_found(self) -> None:
        self.check("UNKNOWN_ACTION", Action=["dynamodb:PutItems"])
        self.check("RESOURCE_MISMATCH", Action=["sqs:SendMessage"])

    def test_wildcards_need_a_reason(self) -> None:
        self.check("the action `*` has a wildcard", Action=["*"])
        self.check("the action `dynamodb:Put*` has a wildcard", Action=["dynamodb:Put*"])
        self.check("the resource `*` has a wildcard without a reason", Resource=["*"])
        self.check("a wildcard without a reason", Resource=["${table.arn}/*"])
        self.check("allows everything that it doesn't name", NotAction=["dynamodb:GetItem"])

    def test_an_action_without_resources_may_be_allowed_on_all_but_by_itself_alone(self) -> None:
        self.assertEqual(self.findings(Action=["xray:PutTraceSegments"], Resource=["*"]), [])
        self.check("the resource `*` has", Action=["xray:PutTraceSegments", "dynamodb:PutItem"], Resource=["*"])

    def test_a_reason_that_explains_nothing_is_found(self) -> None:
        with patch.object(policies, "WILDCARDS", {"arn:aws:dynamodb:*[*]": "why"}):
            self.check("remove its reason")
            self.assertEqual(self.findings(Resource=["${table.arn}*"]), [])

    def test_who_may_take_on_a_role_is_looked_at_too(self) -> None:
        service = {"Service": "lambda.amazonaws.com"}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": service}

        def findings(**changes: Any) -> str:
            return "".join(policies.find({"cloud": program("aws:iam:Role", "assumeRolePolicy", {**trust, **changes})}))

        self.assertEqual(findings(), "")
        for principal in ("*", {"AWS": "*"}, {**service, "AWS": "1"}, {"Service": "*"}, {"Service": "example.com"}):
            self.assertIn("is more than AWS services", findings(Principal=principal), principal)
        self.assertIn("it says more than", findings(Action=["sts:AssumeRole", "iam:PassRole"]))

    def test_a_refusal_may_name_all(self) -> None:
        plain = {"Bool": {"aws:SecureTransport": "false"}}
        refusal = {"Effect": "Deny", "Principal": "*", "Action": "dynamodb:*", "Condition": plain}
        self.assertEqual(self.findings(kind="aws:sqs:QueuePolicy", **refusal), [])

    def test_a_queues_policy_allows_nothing(self) -> None:
        self.check("only roles' policies may allow something", kind="aws:sqs:QueuePolicy")

    def test_a_policy_in_another_place_stops_the_audit(self) -> None:
        with self.assertRaisesRegex(LocalError, "doesn't know this place for a policy"):
            self.findings(kind="aws:iam:GroupPolicy")

    def test_a_program_without_policies_is_not_taken_for_a_good_one(self) -> None:
        empty = parse_program(json.dumps({"name": "hubbub", "resources": {"table": TABLE}}))
        self.assertEqual(list(policies.find({"cloud": empty})), ["cloud: the program has no policy"])
