"""Proves that a program is applied whole, or stops with the name of what can't be."""

import json
import unittest
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import botocore.exceptions

from ..apply import Deployment, apply, check
from ..aws import Aws
from ..errors import ProgramError
from ..program import Program, parse_program
from ..resources import HANDLERS, Given
from ..resources.functions import _environment


def program(resources: dict[str, Any], **sections: Any) -> Program:
    """A program with these resources."""
    return parse_program(json.dumps({"name": "hubbub", "resources": resources, **sections}))


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """A resource of a type with these properties."""
    return {"type": kind, "properties": properties}


class FakeAws:
    """Clients that answer nothing useful, but record what they are asked."""

    region = "us-east-1"

    def __init__(self) -> None:
        self.clients: dict[str, MagicMock] = {}

    def __call__(self, service: str) -> MagicMock:
        return self.clients.setdefault(service, MagicMock())


def apply_on(aws: FakeAws, applied: Program, **config: str) -> dict[str, Any]:
    """Applies a program with a configuration."""
    return apply(applied, Deployment("local", config, Path("/")), aws)  # type: ignore[arg-type]


class Checking(unittest.TestCase):
    """Faults that are found before anything is created."""

    def check(self, message: str, resources: dict[str, Any], **sections: Any) -> None:
        with self.subTest(message), self.assertRaises(ProgramError) as caught:
            check(program(resources, **sections))
        self.assertIn(message, str(caught.exception))

    def test_an_unknown_type_is_an_error_that_names_the_resource(self) -> None:
        self.check(
            "resource `bucket` (aws:s3:Bucket): the resource type `aws:s3:Bucket` isn't known",
            {"bucket": resource("aws:s3:Bucket")},
        )

    def test_an_unknown_property_is_an_error_that_names_the_resource_and_the_property(self) -> None:
        self.check(
            "resource `q` (aws:sqs:Queue): the property `kmsMasterKeyId` isn't known",
            {"q": resource("aws:sqs:Queue", name="q", kmsMasterKeyId="k")},
        )
        self.check(
            "the property `environment.variable` isn't known",
            {"f": resource("aws:lambda:Function", environment={"variable": {}})},
        )
        self.check(
            "the property `attributes[1].kind` isn't known",
            {"t": resource("aws:dynamodb:Table", attributes=[{"name": "pk", "type": "S"}, {"kind": "S"}])},
        )

    def test_a_property_of_the_wrong_shape_is_an_error(self) -> None:
        self.check("the property `ttl` must be an object", {"t": resource("aws:dynamodb:Table", ttl="ttl")})
        self.check("the property `attributes` must be a list", {"t": resource("aws:dynamodb:Table", attributes={})})

    def test_an_unknown_function_is_an_error(self) -> None:
        self.check("`fn::secret` isn't known", {"q": resource("aws:sqs:Queue", name={"fn::secret": "q"})})

    def test_a_reference_that_leads_nowhere_is_an_error(self) -> None:
        self.check(
            "resource `q` (aws:sqs:Queue), property `name`: `${nothing.id}` leads nowhere",
            {"q": resource("aws:sqs:Queue", name="${nothing.id}")},
        )
        self.check(
            "output `o`: `${q.colour}` leads nowhere: a resource of type `aws:sqs:Queue` has no output `colour`",
            {"q": resource("aws:sqs:Queue", name="q")},
            outputs={"o": "${q.colour}"},
        )
        self.check(
            "output `o`: `${q}` is a whole resource", {"q": resource("aws:sqs:Queue", name="q")}, outputs={"o": "${q}"}
        )

    def test_a_secret_value_is_no_output(self) -> None:
        self.check(
            "`${p.valueWo}` leads nowhere",
            {"p": resource("aws:ssm:Parameter", name="p", type="SecureString", valueWo="v", valueWoVersion=1)},
            outputs={"o": "${p.valueWo}"},
        )

    def test_a_cycle_is_an_error(self) -> None:
        self.check("has a cycle", {"q": resource("aws:sqs:Queue", name="${q.id}")})

    def test_every_ignored_property_has_a_reason_and_is_not_applied_too(self) -> None:
        for handler in HANDLERS.values():
            for key, reason in handler.ignored.items():
                self.assertGreater(len(reason.split()), 3, f"{handler.kind}: {key}")
                self.assertNotIn(key, handler.applied, handler.kind)


class Applying(unittest.TestCase):
    """Creation itself, with clients that only record."""

    def test_nothing_is_created_when_anything_is_wrong(self) -> None:
        aws = FakeAws()
        faulty = program({"q": resource("aws:sqs:Queue", name="q"), "x": resource("aws:s3:Bucket")})
        with self.assertRaises(ProgramError):
            apply_on(aws, faulty)
        self.assertEqual(aws.clients, {})

    def test_values_reach_the_service_evaluated(self) -> None:
        aws = FakeAws()
        outputs = apply_on(
            aws,
            program(
                {
                    "api": resource(
                        "aws:apigatewayv2:Api",
                        name="hubbub-${pulumi.stack}",
                        protocolType="WEBSOCKET",
                        routeSelectionExpression="$$request.body.action",
                    ),
                    "key": {
                        "type": "aws:ssm:Parameter",
                        "properties": {
                            "name": "/${name}/key",
                            "type": "SecureString",
                            "valueWo": "${tokenKey}",
                            "valueWoVersion": "${version}",
                        },
                        "options": {"dependsOn": ["${api}"]},
                    },
                },
                configuration={
                    "tokenKey": {"type": "string", "secret": True},
                    "version": {"type": "integer", "default": "1"},
                },
                variables={"name": "${api.name}"},
                outputs={"parameter": "${key.name}"},
            ),
            **{"hubbub:tokenKey": "secret"},
        )
        self.assertEqual(outputs, {"parameter": "/hubbub-local/key"})
        aws("apigatewayv2").create_api.assert_called_once_with(
            Name="hubbub-local", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action"
        )
        aws("ssm").put_parameter.assert_called_once_with(Name="/hubbub-local/key", Type="SecureString", Value="secret")

    def test_a_missing_configuration_value_is_an_error(self) -> None:
        with self.assertRaisesRegex(ProgramError, "`tokenKey` has no default and isn't set"):
            apply_on(FakeAws(), program({}, configuration={"tokenKey": {"type": "string"}}))

    def test_a_missing_property_is_an_error_that_names_it(self) -> None:
        with self.assertRaisesRegex(ProgramError, r"resource `q` \(aws:sqs:Queue\): the property `name` is missing"):
            apply_on(FakeAws(), program({"q": resource("aws:sqs:Queue")}))

    def test_a_policy_that_is_not_json_is_an_error(self) -> None:
        role = resource("aws:iam:Role", name="r", assumeRolePolicy="{")
        with self.assertRaisesRegex(ProgramError, "property `assumeRolePolicy`: it must be JSON written as a text"):
            apply_on(FakeAws(), program({"r": role}))

    def test_half_of_the_throttles_is_an_error(self) -> None:
        stage = resource(
            "aws:apigatewayv2:Stage", apiId="a", name="v1", defaultRouteSettings={"throttlingRateLimit": 1}
        )
        with self.assertRaisesRegex(ProgramError, "without both throttles"):
            apply_on(FakeAws(), program({"s": stage}))

    def test_a_refusal_by_the_service_names_the_resource(self) -> None:
        aws = FakeAws()
        refusal = botocore.exceptions.ClientError(
            {"Error": {"Code": "QueueNameExists", "Message": "no"}}, "CreateQueue"
        )
        aws("sqs").create_queue.side_effect = refusal
        with self.assertRaisesRegex(ProgramError, "resource `q` .* can't be created: .*QueueNameExists"):
            apply_on(aws, program({"q": resource("aws:sqs:Queue", name="q")}))

    def test_a_fifo_queue_must_be_named_so(self) -> None:
        with self.assertRaisesRegex(ProgramError, "ends in `.fifo` exactly if"):
            apply_on(FakeAws(), program({"q": resource("aws:sqs:Queue", name="q", fifoQueue=True)}))

    def test_a_queue_policy_may_refuse_plain_http_and_nothing_else(self) -> None:
        aws = FakeAws()
        refusal = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": "arn",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }

        def queue_policy(**changes: Any) -> Program:
            policy = json.dumps({"Version": "2012-10-17", "Statement": [{**refusal, **changes}]})
            return program({"p": resource("aws:sqs:QueuePolicy", queueUrl="url", policy=policy)})

        apply_on(aws, queue_policy())
        self.assertEqual(aws.clients, {}, "it would refuse every call at the emulator")
        for changes in ({"Effect": "Allow"}, {"Condition": {}}, {"Principal": {"AWS": "1"}}):
            with self.subTest(changes), self.assertRaisesRegex(ProgramError, "only takes one that refuses plain HTTP"):
                apply_on(FakeAws(), queue_policy(**changes))


class Environments(unittest.TestCase):
    """What functions are told of the emulator."""

    def test_addresses_at_the_emulator_become_those_that_functions_are_to_call(self) -> None:
        aws = Aws("http://127.0.0.1:4566", functions_endpoint="http://127.0.0.1:9")
        told = {"A": "http://127.0.0.1:4566", "B": "http://127.0.0.1:4566/x", "C": "http://127.0.0.1:45667", "D": "x"}
        given = Given("f", "f", {"environment": {"variables": told}})
        expected = {**told, "A": "http://127.0.0.1:9", "B": "http://127.0.0.1:9/x"}
        self.assertEqual(_environment(aws, given), {"Variables": expected})
