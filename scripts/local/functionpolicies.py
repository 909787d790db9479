"""Saves each function's policies, with the emulator's names and ARNs."""

from __future__ import annotations

import json
from pathlib import Path

import botocore.exceptions

from .aws import Aws

POLICIES = "policies.json"


def save_function_policies(endpoint: str, folder: Path) -> None:
    """Writes the policies of each function's role to `<folder>/policies.json`, by the function's name.

    It runs while the stack is taken down, so it raises nothing. After an error there is no file, and the audit reports
    that.
    """
    (folder / POLICIES).unlink(missing_ok=True)
    aws = Aws(endpoint, attempts=1, timeout_seconds=5)
    iam = aws("iam")
    policies = {}
    try:
        for page in aws("lambda").get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                role = function["Role"].rpartition("/")[2]
                names = iam.list_role_policies(RoleName=role)["PolicyNames"]
                documents = (iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names)
                policies[function["FunctionName"]] = list(documents)
        (folder / POLICIES).write_text(json.dumps(policies, indent=2) + "\n")
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, OSError):
        return
