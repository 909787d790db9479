"""Reads a rendered Pulumi program, and orders what it declares for creation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .errors import ProgramError
from .values import Reference, parse_text, references

_TOP_LEVEL = {"name", "runtime", "description", "config", "configuration", "variables", "resources", "outputs"}
_RESOURCE = {"type", "properties", "options", "defaultProvider"}

# Options beside `dependsOn`, with the reason why the local stack, which is only ever created, ignores them.
_IDLE_OPTIONS = {
    "version": "it pins the provider, and the local stack has none",
    "protect": "it guards against deletion, and the local stack deletes by stopping the emulator",
    "retainOnDelete": "it guards against deletion, and the local stack deletes by stopping the emulator",
    "deleteBeforeReplace": "it orders a replacement, and the local stack never replaces",
    "replaceOnChanges": "it orders a replacement, and the local stack never replaces",
    "ignoreChanges": "it hides a difference on update, and the local stack never updates",
    "additionalSecretOutputs": "it hides values in Pulumi's state, and the local stack has none",
}


@dataclass(frozen=True)
class Setting:
    """A declared configuration value."""

    type: str = "string"
    default: Any = None


@dataclass(frozen=True)
class Resource:
    """A declared resource, with its properties as they are written."""

    name: str
    type: str
    properties: dict[str, Any] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Its name in messages."""
        return f"resource `{self.name}` ({self.type})"


@dataclass(frozen=True)
class Program:
    """A whole program."""

    name: str
    settings: dict[str, Setting]
    variables: dict[str, Any]
    resources: dict[str, Resource]
    outputs: dict[str, Any]

    def references(self) -> Iterator[tuple[Reference, str]]:
        """Every reference in the program, with its place."""
        for name, value in self.variables.items():
            yield from references(value, _variable(name))
        for resource in self.resources.values():
            for key, value in resource.properties.items():
                yield from references(value, f"{resource.where}, property `{key}`")
        for name, value in self.outputs.items():
            yield from references(value, f"output `{name}`")

    def creation_order(self) -> list[str]:
        """The names of the variables and resources, each after those that it needs, otherwise in their declared order.

        Raises:
            ProgramError: names a reference that leads nowhere, or a cycle.
        """
        order: list[str] = []
        path: list[str] = []

        def visit(name: str) -> None:
            if name in order:
                return
            if name in path:
                cycle = " → ".join(f"`{step}`" for step in [*path[path.index(name) :], name])
                raise ProgramError(f"the program has a cycle: {cycle}")
            path.append(name)
            for needed in self._needs(name):
                visit(needed)
            path.pop()
            order.append(name)

        for name in [*self.variables, *self.resources]:
            visit(name)
        return order

    def _needs(self, name: str) -> Iterator[str]:
        """The variables and resources that one of them refers to."""
        if name in self.variables:
            found = list(references(self.variables[name], _variable(name)))
        else:
            resource = self.resources[name]
            yield from resource.depends_on
            found = [
                reference
                for key, value in resource.properties.items()
                for reference in references(value, f"{resource.where}, property `{key}`")
            ]
        for reference, where in found:
            if reference.root in self.variables or reference.root in self.resources:
                yield reference.root
            elif reference.root != "pulumi" and reference.root not in self.settings:
                raise nowhere(reference, where)


def nowhere(reference: Reference, where: str) -> ProgramError:
    """The error for a reference to something that the program doesn't declare."""
    return ProgramError(
        f"{where}: `${{{reference.text}}}` leads nowhere: "
        f"there's no resource, variable or configuration value `{reference.root}`"
    )


def parse_program(text: str) -> Program:
    """Reads a program as the renderer prints it.

    Raises:
        ProgramError: it isn't JSON, or has an unknown key. Pulumi itself silently ignores an unknown top-level key, so that
            a misspelt `outputs` would get lost.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise ProgramError(f"the program isn't JSON: {error}") from error
    document = _object(document, "the program")
    _known(document, _TOP_LEVEL, "the program")
    if "config" in document and "configuration" in document:
        raise ProgramError("the program has both `config` and `configuration`")
    name = document.get("name")
    if not isinstance(name, str):
        raise ProgramError("the program has no `name`")
    declared = document.get("configuration", document.get("config", {}))
    program = Program(
        name=name,
        settings={
            key.removeprefix(f"{name}:"): _parse_setting(key, value)
            for key, value in _object(declared, "`configuration`").items()
        },
        variables=_object(document.get("variables", {}), "`variables`"),
        resources={
            key: _parse_resource(key, value)
            for key, value in _object(document.get("resources", {}), "`resources`").items()
        },
        outputs=_object(document.get("outputs", {}), "`outputs`"),
    )
    _refuse_shared_names(program)
    return program


def _parse_setting(name: str, value: Any) -> Setting:
    where = f"configuration value `{name}`"
    value = _object(value, where)
    _known(value, {"type", "default", "secret", "value"}, where)
    return Setting(str(value.get("type", "string")).lower(), value.get("default", value.get("value")))


def _parse_resource(name: str, value: Any) -> Resource:
    where = f"resource `{name}`"
    value = _object(value, where)
    _known(value, _RESOURCE, where)
    kind = value.get("type")
    if not isinstance(kind, str):
        raise ProgramError(f"{where} has no `type`")
    options = _object(value.get("options", {}), f"{where}, `options`")
    _known(options, {"dependsOn", *_IDLE_OPTIONS}, f"{where}, `options`")
    return Resource(
        name=name,
        type=kind,
        properties=_object(value.get("properties", {}), f"{where}, `properties`"),
        depends_on=tuple(_parse_depends_on(options.get("dependsOn", []), f"{where}, option `dependsOn`")),
    )


def _parse_depends_on(value: Any, where: str) -> Iterator[str]:
    for item in value if isinstance(value, list) else [value]:
        parts = parse_text(item, where) if isinstance(item, str) else []
        if len(parts) != 1 or not isinstance(parts[0], Reference) or parts[0].steps:
            raise ProgramError(f"{where}: `{item}` must be a resource, written `${{name}}`")
        yield parts[0].root


def _refuse_shared_names(program: Program) -> None:
    """Refuses a name that is used twice: references don't say whether they mean a setting, a variable or a resource."""
    seen: set[str] = set()
    for name in [*program.settings, *program.variables, *program.resources]:
        if name in seen or name == "pulumi":
            raise ProgramError(f"the name `{name}` is declared twice")
        seen.add(name)
    for resource in program.resources.values():
        for needed in resource.depends_on:
            if needed not in program.resources:
                raise ProgramError(f"{resource.where}, option `dependsOn`: there's no resource `{needed}`")


def _variable(name: str) -> str:
    return f"variable `{name}`"


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProgramError(f"{where} must be an object")
    return value


def _known(value: dict[str, Any], known: set[str], where: str) -> None:
    for key in value:
        if key not in known:
            raise ProgramError(f"{where}: the key `{key}` isn't known to the local stack")
