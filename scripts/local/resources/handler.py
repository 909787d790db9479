"""What a handler is, and the check that a resource has no property that its handler doesn't know."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Union

from ..aws import Aws
from ..errors import ProgramError
from ..values import is_function

Schema = Union[dict[str, "Schema"], list["Schema"], None]
"""Which keys a property may have: an object's keys, a list's items, or `LEAF`."""

LEAF: Schema = None
"""A text, a number, a flag, or a map whose keys are the program's own."""

Outputs = dict[str, Any]


class Given:
    """The evaluated properties of the resource that is to be created."""

    def __init__(self, name: str, where: str, properties: Mapping[str, Any]) -> None:
        self.name = name
        self.where = where
        self._properties = properties

    def need(self, key: str) -> Any:
        """A property that must be there.

        Raises:
            ProgramError: it isn't.
        """
        if self._properties.get(key) is None:
            raise ProgramError(f"{self.where}: the property `{key}` is missing")
        return self._properties[key]

    def get(self, key: str, default: Any = None) -> Any:
        """A property, or the default."""
        value = self._properties.get(key)
        return default if value is None else value

    def json_text(self, key: str) -> str:
        """A property that must be JSON written as a text. The emulator would take anything.

        Raises:
            ProgramError: it is missing or isn't JSON.
        """
        text = str(self.need(key))
        try:
            json.loads(text)
        except ValueError as error:
            raise self.wrong(key, f"it must be JSON written as a text: {error}") from error
        return text

    def wrong(self, key: str, reason: str) -> ProgramError:
        """The error for a property with a value that can't be applied."""
        return ProgramError(f"{self.where}, property `{key}`: {reason}")


def present(**parameters: Any) -> dict[str, Any]:
    """Parameters of a call without those that are `None`, so that the service's own default holds."""
    return {key: value for key, value in parameters.items() if value is not None}


def upper(value: Any) -> Any:
    """Pulumi's `camelCase` keys as the API's `PascalCase`, at every depth."""
    if isinstance(value, dict):
        return {key[:1].upper() + key[1:]: upper(item) for key, item in value.items()}
    if isinstance(value, list):
        return [upper(item) for item in value]
    return value


Create = Callable[[Aws, Given], Outputs]


@dataclass(frozen=True)
class Handler:
    """What the local stack knows of a resource type.

    `applied` has the properties that the handler acts on. `ignored` has those that it leaves aside, each with the
    reason. `secret` has those of the applied ones that Pulumi gives no output for. `outputs` has what can be referred
    to beside the applied properties themselves.
    """

    kind: str
    create: Create
    applied: dict[str, Schema]
    ignored: dict[str, str]
    secret: frozenset[str]
    outputs: frozenset[str]

    def check_properties(self, properties: Mapping[str, Any], where: str) -> None:
        """Stops at a property that isn't known.

        Raises:
            ProgramError: names the property.
        """
        for key, value in properties.items():
            if key in self.applied:
                _check(self.applied[key], value, where, key)
            elif key not in self.ignored:
                raise ProgramError(f"{where}: the property `{key}` isn't known to the local stack")

    def has_output(self, key: str) -> bool:
        """Whether `${resource.key}` can be referred to."""
        return key in self.outputs or (key in self.applied and key not in self.secret)


def _check(schema: Schema, value: Any, where: str, path: str) -> None:
    if schema is LEAF or is_function(value):
        return
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            raise ProgramError(f"{where}: the property `{path}` must be an object")
        for key, item in value.items():
            if key not in schema:
                raise ProgramError(f"{where}: the property `{path}.{key}` isn't known to the local stack")
            _check(schema[key], item, where, f"{path}.{key}")
    if isinstance(schema, list):
        if not isinstance(value, list):
            raise ProgramError(f"{where}: the property `{path}` must be a list")
        for index, item in enumerate(value):
            _check(schema[0], item, where, f"{path}[{index}]")


HANDLERS: dict[str, Handler] = {}
"""The handlers by resource type."""


def handles(
    kind: str,
    *,
    applied: dict[str, Schema],
    ignored: dict[str, str] | None = None,
    secret: tuple[str, ...] = (),
    outputs: tuple[str, ...] = (),
) -> Callable[[Create], Create]:
    """Registers a function as the one that creates resources of a type."""

    def register(create: Create) -> Create:
        HANDLERS[kind] = Handler(kind, create, applied, ignored or {}, frozenset(secret), frozenset(outputs))
        return create

    return register


UNREAD_TAGS = {"tags": "nothing in the local stack reads tags"}
