"""Translates a request to AWS into IAM's actions and resources.

It knows only the protocols of the services that functions call. An unknown operation keeps its name, so that a comparison
with the policies finds an action that no policy grants.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_CREDENTIAL = re.compile(r"\bCredential=([^/,\s]+)/\d+/([^/,\s]+)/([^/,\s]+)/aws4_request")
_STAGE = re.compile(r"^/_aws/execute-api/([^/]+)/([^/]+)/@connections/[^/]+$")

# The action that each part of a transaction needs. IAM has no action for the transaction itself.
_TRANSACTED = {
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Delete": "dynamodb:DeleteItem",
    "Get": "dynamodb:GetItem",
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
}

# Operations that need the action of another one.
_ACTIONS = {
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}


@dataclass(frozen=True)
class Call:
    """An action on a resource. An unknown one is `?`."""

    action: str
    resource: str


@dataclass(frozen=True)
class Request:
    """A request. Its headers' names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Credential:
    """The access key, region and service of a signature."""

    access_key_id: str
    region: str
    service: str


def credential_of(request: Request) -> Credential | None:
    """The credential that a request is signed with."""
    found = _CREDENTIAL.search(request.headers.get("authorization", ""))
    return Credential(*found.groups()) if found else None


def calls_of(request: Request, credential: Credential, account: str) -> list[Call]:
    """The grants that a request needs, without repeats."""
    place = f"{credential.region}:{account}"
    if credential.service == "execute-api":
        return [_connection_call(request, place)]
    operation = request.headers.get("x-amz-target", "?").rpartition(".")[2]
    action = f"{credential.service}:{operation}"
    try:
        body = json.loads(request.body)
        if not isinstance(body, dict):
            raise ValueError("not an object")
        found = list(_service_calls(credential.service, action, body, place))
    except (KeyError, TypeError, ValueError):
        found = []
    return list(dict.fromkeys(found)) or [Call(action, "?")]


def _connection_call(request: Request, place: str) -> Call:
    """A call of `@connections`. All connections count as one resource: there are thousands, and they are short-lived."""
    stage = _STAGE.match(urlsplit(request.target).path)
    if stage is None:
        return Call(f"execute-api:{request.method} {request.target}", "?")
    api, name = stage.groups()
    resource = f"arn:aws:execute-api:{place}:{api}/{name}/{request.method}/@connections/*"
    return Call("execute-api:ManageConnections", resource)


def _service_calls(service: str, action: str, body: dict[str, Any], place: str) -> Iterator[Call]:
    if service == "dynamodb":
        for needed, table in _table_calls(action, body):
            yield Call(needed, f"arn:aws:dynamodb:{place}:table/{table}")
    elif service == "sqs":
        account, queue = urlsplit(body["QueueUrl"]).path.split("/")[-2:]
        region = place.partition(":")[0]
        yield Call(_ACTIONS.get(action, action), f"arn:aws:sqs:{region}:{account}:{queue}")
    elif service == "states":
        yield Call(action, body["stateMachineArn"])
    elif service == "ssm":
        yield Call(action, f"arn:aws:ssm:{place}:parameter/{body['Name'].removeprefix('/')}")


def _table_calls(action: str, body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The actions on tables: of an operation, of each item of a transaction, or on each table of a batch."""
    if action in {"dynamodb:TransactWriteItems", "dynamodb:TransactGetItems"}:
        for item in body["TransactItems"]:
            for part, details in item.items():
                yield _TRANSACTED[part], details["TableName"]
    elif action in {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"}:
        for table in body["RequestItems"]:
            yield action, table
    else:
        yield action, body["TableName"]
