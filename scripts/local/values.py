"""Evaluates the expressions of a Pulumi YAML program: references, escapes and functions.

It knows the part of Pulumi's language that Hubbub's program uses. Everything else is an error, because a difference from
Pulumi would only be noticed in the cloud.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from .errors import ProgramError

FUNCTION_PREFIX = "fn::"
TO_JSON = "fn::toJSON"
FILE_ARCHIVE = "fn::fileArchive"
INVOKE = "fn::invoke"

_ROOT = re.compile(r"[^.\[\]{}\"$\s]+")
_STEP = re.compile(r"\.([^.\[\]{}\"$\s]+)|\[(\d+)\]|\[\"([^\"]*)\"\]")


@dataclass(frozen=True)
class Archive:
    """A zip file, as `fn::fileArchive` names it."""

    path: Path


@dataclass(frozen=True)
class Reference:
    """`${root.step[0]["step"]}`: something of a resource, a variable or the configuration."""

    root: str
    steps: tuple[str | int, ...]
    text: str


Part = Union[str, Reference]
Invoke = Callable[[str, Mapping[str, Any], str], Any]


def parse_text(text: str, where: str) -> list[Part]:
    """Splits a string into literal text and references.

    `$$` means a dollar, and so does a dollar before any character but `{`.

    Raises:
        ProgramError: a reference isn't closed, or isn't written as Pulumi requires.
    """
    parts: list[Part] = []
    literal = ""
    position = 0
    while position < len(text):
        if text.startswith("$$", position):
            literal += "$"
            position += 2
        elif text.startswith("${", position):
            end = text.find("}", position)
            if end < 0:
                raise ProgramError(f"{where}: `{text[position:]}` has no closing brace")
            if literal:
                parts.append(literal)
                literal = ""
            parts.append(_parse_reference(text[position + 2 : end], where))
            position = end + 1
        else:
            literal += text[position]
            position += 1
    if literal or not parts:
        parts.append(literal)
    return parts


def _parse_reference(text: str, where: str) -> Reference:
    root = _ROOT.match(text)
    if root is None:
        raise ProgramError(f"{where}: can't read the reference `${{{text}}}`")
    steps: list[str | int] = []
    position = root.end()
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise ProgramError(f"{where}: can't read the reference `${{{text}}}`")
        name, index, quoted = step.groups()
        steps.append(int(index) if index is not None else name if name is not None else quoted)
        position = step.end()
    return Reference(root.group(), tuple(steps), text)


def is_function(value: Any) -> bool:
    """Whether a value is a call such as `{"fn::toJSON": ...}`."""
    return isinstance(value, dict) and any(str(key).startswith(FUNCTION_PREFIX) for key in value)


def function_of(value: dict[str, Any], where: str) -> tuple[str, Any]:
    """The function and the argument of a call.

    Raises:
        ProgramError: the object has another key, or the function is unknown.
    """
    if len(value) != 1:
        raise ProgramError(f"{where}: a function must be alone in its object, but there are {_quoted(value)}")
    ((name, argument),) = value.items()
    if name not in (TO_JSON, FILE_ARCHIVE, INVOKE):
        raise ProgramError(f"{where}: the function `{name}` isn't known to the local stack")
    return name, argument


def references(value: Any, where: str) -> Iterator[tuple[Reference, str]]:
    """Every reference in a value, with its place."""
    if isinstance(value, str):
        for part in parse_text(value, where):
            if isinstance(part, Reference):
                yield part, where
    elif is_function(value):
        name, argument = function_of(value, where)
        yield from references(argument, f"{where}.{name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from references(item, f"{where}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from references(item, f"{where}[{index}]")


class Evaluator:
    """Evaluates values in a scope.

    `scope` maps the names of settings, variables and resources to their values. It is read at each evaluation, so it may
    grow. `invoke` answers `fn::invoke`. `folder`, where Pulumi.yaml is, is the base of archives' paths.
    """

    def __init__(self, scope: Mapping[str, Any], folder: Path, invoke: Invoke) -> None:
        self._scope = scope
        self._folder = folder
        self._invoke = invoke

    def evaluate(self, value: Any, where: str) -> Any:
        """The value with its references, escapes and functions replaced.

        Raises:
            ProgramError: names the place and the mistake.
        """
        if isinstance(value, str):
            return self._evaluate_text(value, where)
        if is_function(value):
            return self._evaluate_function(value, where)
        if isinstance(value, dict):
            return {_plain_key(key, where): self.evaluate(item, f"{where}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.evaluate(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return value

    def _evaluate_text(self, text: str, where: str) -> Any:
        parts = parse_text(text, where)
        if len(parts) == 1 and isinstance(parts[0], Reference):
            return self._resolve(parts[0], where)
        return "".join(self._as_text(part, where) if isinstance(part, Reference) else part for part in parts)

    def _as_text(self, reference: Reference, where: str) -> str:
        value = self._resolve(reference, where)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (str, int, float)):
            return str(value)
        raise ProgramError(f"{where}: `${{{reference.text}}}` is inside a string, but is neither a string nor a number")

    def _resolve(self, reference: Reference, where: str) -> Any:
        unresolved = ProgramError(f"{where}: `${{{reference.text}}}` has no value")
        if reference.root not in self._scope:
            raise unresolved
        value = self._scope[reference.root]
        for step in reference.steps:
            if isinstance(step, str) and isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(step, int) and isinstance(value, list) and step < len(value):
                value = value[step]
            else:
                raise unresolved
        return value

    def _evaluate_function(self, call: dict[str, Any], where: str) -> Any:
        name, written = function_of(call, where)
        where = f"{where}.{name}"
        argument = self.evaluate(written, where)
        if name == TO_JSON:
            return _to_json(argument, where)
        if name == FILE_ARCHIVE:
            return self._archive(argument, where)
        return self._call_invoke(argument, where)

    def _archive(self, argument: Any, where: str) -> Archive:
        if not isinstance(argument, str):
            raise ProgramError(f"{where}: an archive must be a path")
        path = (self._folder / argument).resolve()
        if not path.is_file():
            raise ProgramError(f"{where}: there is no file `{argument}`")
        return Archive(path)

    def _call_invoke(self, argument: Any, where: str) -> Any:
        if not isinstance(argument, dict) or not isinstance(argument.get("function"), str):
            raise ProgramError(f"{where}: `function` must name the function to invoke")
        unknown = sorted(set(argument) - {"function", "arguments", "return"})
        if unknown:
            raise ProgramError(f"{where}: {_quoted(unknown)} isn't known to the local stack")
        answer = self._invoke(argument["function"], argument.get("arguments") or {}, where)
        wanted = argument.get("return")
        if wanted is None:
            return answer
        if wanted not in answer:
            raise ProgramError(f"{where}: `{argument['function']}` doesn't return `{wanted}`")
        return answer[wanted]


def _plain_key(key: str, where: str) -> str:
    """Returns a key unchanged. Hubbub's program has no expressions in keys, so a dollar in one is refused."""
    if "$" in key:
        raise ProgramError(f"{where}: the key `{key}` has a dollar in it, which the local stack doesn't evaluate")
    return key


def _to_json(value: Any, where: str) -> str:
    """Compact JSON with sorted keys, as Pulumi writes it."""
    try:
        return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    except TypeError as error:
        raise ProgramError(f"{where}: an archive can't be written as JSON") from error


def _quoted(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
