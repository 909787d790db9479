"""Checks a program's policies: parliament's findings, and wildcards without a reason."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from local.errors import LocalError
from local.program import Program
from local.values import Evaluator

with warnings.catch_warnings():
    # parliament imports `pkg_resources`, which warns of itself.
    warnings.simplefilter("ignore")
    import parliament

# Resources that need a `*`, each with the reason. These are patterns themselves: `*` and `?` match anything.
WILDCARDS = {
    "arn:aws:logs:*:log-group:/aws/lambda/*:[*]": "Lambda names a log's streams, each as it begins",
    "arn:aws:execute-api:*/v1/POST/@connections/[*]": "API Gateway names connections, each as it opens",
    "arn:aws:execute-api:*/v1/DELETE/@connections/[*]": "API Gateway names connections, each as it opens",
}

# Actions without resources: AWS allows them on `*` only.
_WITHOUT_RESOURCES = frozenset(
    {"xray:GetSamplingRules", "xray:GetSamplingTargets", "xray:PutTelemetryRecords", "xray:PutTraceSegments"}
)

# Sample values for references in policies: ARNs in each service's own form, so that parliament can match them with actions.
_PLACE = "us-east-1:123456789012"
_SAMPLES: dict[str, dict[str, str]] = {
    "aws:apigatewayv2:Api": {"executionArn": f"arn:aws:execute-api:{_PLACE}:a1b2c3d4e5"},
    "aws:cloudwatch:LogGroup": {"arn": f"arn:aws:logs:{_PLACE}:log-group:/aws/lambda/{{name}}"},
    "aws:dynamodb:Table": {"arn": f"arn:aws:dynamodb:{_PLACE}:table/{{name}}"},
    "aws:lambda:Function": {"arn": f"arn:aws:lambda:{_PLACE}:function:{{name}}"},
    "aws:sqs:Queue": {"arn": f"arn:aws:sqs:{_PLACE}:{{name}}.fifo"},
    "aws:ssm:Parameter": {"arn": f"arn:aws:ssm:{_PLACE}:parameter/{{name}}"},
}
_VARIABLES = {"region": "us-east-1", "accountId": "123456789012", "pulumi": {"stack": "sample"}}

# The property of each resource type that has a policy. Another type with such a property is an error.
_DOCUMENTS = {
    "aws:iam:Policy": "policy",
    "aws:iam:Role": "assumeRolePolicy",
    "aws:iam:RolePolicy": "policy",
    "aws:sqs:QueuePolicy": "policy",
}
_PROPERTIES = frozenset({*_DOCUMENTS.values(), "inlinePolicies", "managedPolicyArns", "policyArn", "policyDocument"})


@dataclass(frozen=True)
class Document:
    """A policy document of a program."""

    where: str
    kind: str
    content: dict[str, Any]

    @property
    def statements(self) -> list[dict[str, Any]]:
        """The document's statements."""
        return list(self.content["Statement"])


def find(programs: Mapping[str, Program]) -> Iterator[str]:
    """The findings in the policies of programs."""
    used: set[str] = set()
    for name, program in programs.items():
        documents = list(_documents(program, name))
        if not documents:
            yield f"{name}: the program has no policy"
        for document in documents:
            yield from _trust(document) if document.kind == "aws:iam:Role" else _parliament(document)
            yield from _wildcards(document, used)
    for pattern in WILDCARDS.keys() - used:
        yield f"no policy has a resource `{pattern}` any more: remove its reason"


def _documents(program: Program, name: str) -> Iterator[Document]:
    evaluator = Evaluator(_scope(program), Path(), _refuse)
    for resource in program.resources.values():
        for key in resource.properties.keys() & _PROPERTIES:
            where = f"{name}: {resource.where}, property `{key}`"
            if _DOCUMENTS.get(resource.type) != key:
                raise LocalError(f"{where}: the audit doesn't know this place for a policy")
            text = evaluator.evaluate(resource.properties[key], where)
            yield Document(where, resource.type, json.loads(text))


def _scope(program: Program) -> dict[str, Any]:
    """Sample values by the names to which policies refer."""
    scope: dict[str, Any] = dict(_VARIABLES)
    for name, resource in program.resources.items():
        samples = _SAMPLES.get(resource.type, {})
        scope[name] = {output: sample.format(name=name) for output, sample in samples.items()}
    return scope


def _refuse(function: str, _arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    raise LocalError(f"{where}: a policy can't use `{function}`")


def _parliament(document: Document) -> Iterator[str]:
    """The findings of parliament and its community's auditors."""
    analysed = parliament.analyze_policy_string(json.dumps(document.content), include_community_auditors=True)
    for finding in analysed.findings:
        yield f"{document.where}: {finding.issue}: {finding.detail}"


def _trust(document: Document) -> Iterator[str]:
    """Checks who may assume a role: only AWS services. parliament would report a grant without a resource."""
    for statement in document.statements:
        principal = statement.get("Principal")
        services = _list(principal.get("Service")) if isinstance(principal, dict) and len(principal) == 1 else []
        if not services or any(not fnmatchcase(service, "[a-z]*.amazonaws.com") for service in services):
            yield f"{document.where}: `{principal}` is more than AWS services"
        if statement.keys() != {"Effect", "Principal", "Action"} or statement["Action"] != "sts:AssumeRole":
            yield f"{document.where}: it says more than who may assume the role"


def _wildcards(document: Document, used: set[str]) -> Iterator[str]:
    """Finds wildcards in grants. In a refusal they are welcome."""
    for statement in document.statements:
        if statement["Effect"] == "Deny":
            continue
        for inverted in {"NotAction", "NotResource", "NotPrincipal"} & statement.keys():
            yield f"{document.where}: `{inverted}` allows everything that it doesn't name"
        for action in _list(statement.get("Action")):
            if "*" in action or "?" in action:
                yield f"{document.where}: the action `{action}` has a wildcard"
        on_all = {"*"} if _WITHOUT_RESOURCES.issuperset(_list(statement.get("Action"))) else set()
        for resource in sorted(set(_list(statement.get("Resource"))) - on_all):
            reasons = {pattern for pattern in WILDCARDS if fnmatchcase(resource, pattern)}
            used |= reasons
            if not reasons and ("*" in resource or "?" in resource):
                yield f"{document.where}: the resource `{resource}` has a wildcard without a reason"
        if document.kind == "aws:sqs:QueuePolicy":
            yield f"{document.where}: only roles' policies may allow something"


def _list(value: Any) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
