"""Compares each function's calls with the grants of its policy: they must be the same."""

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
    """A function's right to an action on a resource. In a grant, the resource may have wildcards."""

    function: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"`{self.function}`: `{self.action}` on `{self.resource}`"

    def covers(self, called: Right) -> bool:
        """Whether this grant allows a call."""
        same = (self.function, self.action.lower()) == (called.function, called.action.lower())
        return same and _matches(self.resource, called.resource)


def find(folder: Path) -> Iterator[str]:
    """The findings in the files that a run has written to a folder."""
    granted = granted_rights(json.loads((folder / POLICIES).read_text()))
    called = called_rights(json.loads((folder / CALLS).read_text()))
    yield from compare(granted, called, REASONS)


def granted_rights(policies: dict[str, list[dict[str, Any]]]) -> list[Right]:
    """The rights that policies grant.

    Raises:
        ValueError: a statement has other parts than a simple grant, and would be misread.
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
    """The rights that functions have used."""
    return [Right(call["function"].removeprefix(_PREFIX), call["action"], call["resource"]) for call in calls]


def compare(granted: Iterable[Right], called: Iterable[Right], reasons: Iterable[Reason]) -> Iterator[str]:
    """Finds calls without a grant, unused grants without a reason, and reasons for nothing."""
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
        is_granted = any(_explains(reason, grant) for grant in granted)
        if is_granted and reason.may_be_used:
            continue
        state = "was called" if is_granted else "isn't granted any more"
        yield f"`{reason.function}`: `{reason.action}` on `{reason.resource}` {state}: remove its reason"


def _explains(reason: Reason, grant: Right) -> bool:
    return (reason.function, reason.action) == (grant.function, grant.action) and fnmatchcase(
        grant.resource, reason.resource
    )


def _matches(pattern: str, resource: str) -> bool:
    """Whether a policy's resource matches another. In IAM only `*` and `?` are special."""
    return fnmatchcase(resource, pattern.replace("[", "[[]"))
