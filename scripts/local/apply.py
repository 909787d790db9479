"""Applies a rendered Pulumi program to an empty emulator, as `pulumi up` would.

The whole program is checked before the first resource is created, so that a mistake in its last line costs no time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.exceptions

from .aws import Aws
from .errors import ProgramError
from .program import Program, Resource, Setting, nowhere
from .resources import HANDLERS, Given
from .values import Evaluator, Reference


@dataclass(frozen=True)
class Deployment:
    """One deployment of a program: the stack's name, its configuration, and the folder of Pulumi.yaml.

    A key of the configuration may begin with the project's name, as `hubbub:inlineLimit`.
    """

    stack: str
    config: Mapping[str, str]
    folder: Path


def apply(program: Program, deployment: Deployment, aws: Aws) -> dict[str, Any]:
    """Creates every resource and returns the program's outputs.

    Raises:
        ProgramError: names the resource and what is wrong with it.
    """
    check(program)
    scope: dict[str, Any] = {
        "pulumi": {"stack": deployment.stack, "project": program.name},
        **_settings(program, deployment.config),
    }

    def invoke(function: str, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
        return _invoke(aws, function, arguments, where)

    evaluator = Evaluator(scope, deployment.folder, invoke)
    for name in program.creation_order():
        if name in program.variables:
            scope[name] = evaluator.evaluate(program.variables[name], f"variable `{name}`")
        else:
            scope[name] = _create(program.resources[name], evaluator, aws)
    return {name: evaluator.evaluate(value, f"output `{name}`") for name, value in program.outputs.items()}


def check(program: Program) -> None:
    """Checks a program without applying anything: its types and properties are known, its references lead somewhere,
    and it has no cycle.

    Raises:
        ProgramError: names the first mistake.
    """
    for resource in program.resources.values():
        handler = HANDLERS.get(resource.type)
        if handler is None:
            raise ProgramError(f"{resource.where}: the resource type `{resource.type}` isn't known to the local stack")
        handler.check_properties(resource.properties, resource.where)
    for reference, where in program.references():
        _check_reference(program, reference, where)
    program.creation_order()


def _check_reference(program: Program, reference: Reference, where: str) -> None:
    if reference.root in program.resources:
        resource = program.resources[reference.root]
        if not reference.steps:
            raise ProgramError(f"{where}: `${{{reference.text}}}` is a whole resource where a property of it is needed")
        if not HANDLERS[resource.type].has_output(str(reference.steps[0])):
            raise ProgramError(
                f"{where}: `${{{reference.text}}}` leads nowhere: "
                f"a resource of type `{resource.type}` has no output `{reference.steps[0]}` in the local stack"
            )
    elif reference.root not in {"pulumi", *program.variables, *program.settings}:
        raise nowhere(reference, where)


def _create(resource: Resource, evaluator: Evaluator, aws: Aws) -> dict[str, Any]:
    """Creates a resource. Its outputs are its properties without the secrets, and what its handler returns."""
    handler = HANDLERS[resource.type]
    given = {
        key: evaluator.evaluate(value, f"{resource.where}, property `{key}`")
        for key, value in resource.properties.items()
        if key in handler.applied
    }
    try:
        outputs = handler.create(aws, Given(resource.name, resource.where, given))
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise ProgramError(f"{resource.where} can't be created: {error}") from error
    visible = {key: value for key, value in given.items() if key not in handler.secret}
    return {**visible, **outputs}


def _settings(program: Program, config: Mapping[str, str]) -> dict[str, Any]:
    """The values of the declared configuration."""
    values = {}
    for name, setting in program.settings.items():
        value = config.get(f"{program.name}:{name}", config.get(name, setting.default))
        if value is None:
            raise ProgramError(f"configuration value `{name}` has no default and isn't set")
        values[name] = _typed(name, setting, value)
    return values


def _typed(name: str, setting: Setting, value: Any) -> Any:
    """Converts a configuration value from a string to its declared type."""
    if setting.type == "string" or not isinstance(value, str):
        return value
    types: dict[str, Callable[[str], Any]] = {"integer": int, "number": float, "boolean": json.loads}
    try:
        return types[setting.type](value)
    except (KeyError, ValueError) as error:
        raise ProgramError(f"configuration value `{name}` is not a `{setting.type}` that the local stack knows") from error


def _invoke(aws: Aws, function: str, arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Answers `fn::invoke`."""
    if arguments:
        raise ProgramError(f"{where}: the local stack invokes `{function}` without arguments")
    if function == "aws:getRegion":
        return {"id": aws.region, "region": aws.region, "name": aws.region}
    if function == "aws:getCallerIdentity":
        identity = aws("sts").get_caller_identity()
        return {
            "id": identity["Account"],
            "accountId": identity["Account"],
            "arn": identity["Arn"],
            "userId": identity["UserId"],
        }
    raise ProgramError(f"{where}: the local stack doesn't know how to invoke `{function}`")
