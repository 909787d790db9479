"""Proves that a request is read as the actions that IAM asks for."""

import json
import unittest
from typing import Any

from ..calls import Call, Request, calls_of, credential_of

ACCOUNT = "000000000000"
TABLE = "arn:aws:dynamodb:eu-west-1:000000000000:table/t"


def signed(service: str, body: Any, *, target: str = "", method: str = "POST", path: str = "/") -> Request:
    """A request to a service."""
    authorization = (
        f"AWS4-HMAC-SHA256 Credential=ASIA1/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
    headers = {"authorization": authorization, **({"x-amz-target": target} if target else {})}
    return Request(method, path, headers, json.dumps(body).encode())


class Reading(unittest.TestCase):
    """Requests of each protocol."""

    def check(self, request: Request, *expected: tuple[str, str]) -> None:
        credential = credential_of(request)
        assert credential is not None
        self.assertEqual(calls_of(request, credential, ACCOUNT), [Call(*call) for call in expected])

    def test_an_operation_on_a_table_is_its_own_action(self) -> None:
        self.check(signed("dynamodb", {"TableName": "t"}, target="DynamoDB_20120810.Query"), ("dynamodb:Query", TABLE))

    def test_a_transaction_needs_the_actions_of_its_items_each_once(self) -> None:
        items = [{"Update": {"TableName": "t"}}, {"Put": {"TableName": "t"}}, {"Put": {"TableName": "t"}}]
        self.check(
            signed("dynamodb", {"TransactItems": items}, target="DynamoDB_20120810.TransactWriteItems"),
            ("dynamodb:UpdateItem", TABLE),
            ("dynamodb:PutItem", TABLE),
        )

    def test_a_batch_needs_its_action_on_each_table(self) -> None:
        self.check(
            signed("dynamodb", {"RequestItems": {"t": {}}}, target="DynamoDB_20120810.BatchGetItem"),
            ("dynamodb:BatchGetItem", TABLE),
        )

    def test_a_batch_of_messages_needs_the_action_of_one(self) -> None:
        body = {"QueueUrl": "http://127.0.0.1:9/000000000001/q.fifo"}
        for operation in ("SendMessage", "SendMessageBatch"):
            self.check(
                signed("sqs", body, target=f"AmazonSQS.{operation}"),
                ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:000000000001:q.fifo"),
            )

    def test_a_start_and_a_parameter_name_their_resource(self) -> None:
        arn = "arn:aws:states:eu-west-1:000000000000:stateMachine:m"
        start = signed("states", {"stateMachineArn": arn}, target="AWSStepFunctions.StartExecution")
        self.check(start, ("states:StartExecution", arn))
        read = signed("ssm", {"Name": "/a/b"}, target="AmazonSSM.GetParameter")
        self.check(read, ("ssm:GetParameter", "arn:aws:ssm:eu-west-1:000000000000:parameter/a/b"))

    def test_a_post_to_a_connection_stands_for_all_connections_and_keeps_its_method(self) -> None:
        for method in ("POST", "DELETE"):
            self.check(
                signed("execute-api", {}, method=method, path="/_aws/execute-api/a1/v1/@connections/x%3D"),
                (
                    "execute-api:ManageConnections",
                    f"arn:aws:execute-api:eu-west-1:000000000000:a1/v1/{method}/@connections/*",
                ),
            )

    def test_what_is_not_known_is_named_and_not_passed_over(self) -> None:
        self.check(signed("kms", {}, target="TrentService.Decrypt"), ("kms:Decrypt", "?"))
        self.check(signed("dynamodb", {}, target="DynamoDB_20120810.ListTables"), ("dynamodb:ListTables", "?"))
        self.check(signed("sqs", [], target="AmazonSQS.SendMessage"), ("sqs:SendMessage", "?"))
        self.check(signed("execute-api", {}, path="/x"), ("execute-api:POST /x", "?"))

    def test_a_request_without_a_signature_has_no_credential(self) -> None:
        self.assertIsNone(credential_of(Request("GET", "/", {}, b"")))
