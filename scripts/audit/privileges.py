"""Compares what each function has called with what its policy grants: neither may have more than the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from local.functionpolicies import POLICIES
from local.recorder import CALLS

from .reasons import REASONS, Reason

_PREFIX = "hubbub-local-"


@dataclass(frozen=True, order=True)
class Right:
    """An action on a resource, of a function. In a grant, the resource may have wildcards."""

    function: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"`{self.function}`: `{self.action}` on `{self.resource}`"

    def covers(self, called: Right) -> bool:
        """Whether this, as a grant, allows a call."""
        same = (self.function, self.action.lower()) == (called.function, called.action.lower())
        return same and _matches(self.resource, called.resource)


def find(folder: Path) -> Iterator[str]:
    """What is wrong with the run that has left its files in a folder."""
    granted = granted_rights(json.loads((folder / POLICIES).read_text()))
    called = called_rights(json.loads((folder / CALLS).read_text()))
    yield from compare(granted, called, REASONS)


def granted_rights(policies: dict[str, list[dict[str, Any]]]) -> list[Right]:
    """What policies grant, by function.

    Raises:
        ValueError: a statement has more than an allowance's three parts, and would be misread.
    """
    rights = []
    for function, documents in policies.items():
        for statement in (statement for document in documents for statement in document["Statement"]):
            if statement.keys() != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
                raise ValueError(f"the audit doesn't know what this means for `{function}`: {statement}")
            name = function.removeprefix(_PREFIX)
            rights += [Right(name, action, to) for action in statement["Action"] for to in statement["Resource"]]
    return rights


def called_rights(calls: list[dict[str, Any]]) -> list[Right]:
    """What functions have called."""
    return [Right(call["function"].removeprefix(_PREFIX), call["action"], call["resource"]) for call in calls]


def compare(granted: Iterable[Right], called: Iterable[Right], reasons: Iterable[Reason]) -> Iterator[str]:
    """Calls that aren't granted, grants that were never used and have no reason, and reasons that explain nothing."""
    granted, called, unneeded = sorted(granted), sorted(called), list(reasons)
    for call in called:
        if not any(grant.covers(call) for grant in granted):
            yield f"{call} was called and isn't granted"
    for grant in granted:
        if any(grant.covers(call) for call in called):
            continue
        matching = [reason for reason in unneeded if _explains(reason, grant)]
        if not matching:
            yield f"{grant} is granted and was never called"
    unused = [grant for grant in granted if not any(grant.covers(call) for call in called)]
    for reason in unneeded:
        if any(_explains(reason, grant) for grant in unused):
            continue
        state = "was called" if any(_explains(reason, grant) for grant in granted) else "isn't granted any more"
        yield f"`{reason.function}`: `{reason.action}` on `{reason.resource}` {state}: its reason is to be taken out"


def _explains(reason: Reason, grant: Right) -> bool:
    return (reason.function, reason.action) == (grant.function, grant.action) and fnmatchcase(
        grant.resource, reason.resource
    )


def _matches(pattern: str, resource: str) -> bool:
    """Whether a policy's resource takes in another. Only `*` and `?` are special in IAM."""
    return fnmatchcase(resource, pattern.replace("[", "[[]"))
