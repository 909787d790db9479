"""IAM roles and their policies. The emulator holds functions to them only if it is asked to."""

from __future__ import annotations

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present


@handles(
    "aws:iam:Role",
    applied={
        "name": LEAF,
        "assumeRolePolicy": LEAF,
        "description": LEAF,
        "path": LEAF,
        "maxSessionDuration": LEAF,
    },
    ignored=UNREAD_TAGS,
    outputs=("id", "arn", "uniqueId"),
)
def create_role(aws: Aws, given: Given) -> Outputs:
    """Creates a role."""
    name = given.need("name")
    role = aws("iam").create_role(
        RoleName=name,
        AssumeRolePolicyDocument=given.json_text("assumeRolePolicy"),
        **present(
            Description=given.get("description"),
            Path=given.get("path"),
            MaxSessionDuration=given.get("maxSessionDuration"),
        ),
    )["Role"]
    return {"id": name, "arn": role["Arn"], "uniqueId": role["RoleId"]}


@handles("aws:iam:RolePolicy", applied={"name": LEAF, "role": LEAF, "policy": LEAF}, outputs=("id",))
def put_role_policy(aws: Aws, given: Given) -> Outputs:
    """Writes a policy into a role."""
    role, name = given.need("role"), given.get("name", given.name)
    aws("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=given.json_text("policy"))
    return {"id": f"{role}:{name}", "name": name}


@handles(
    "aws:iam:Policy",
    applied={"name": LEAF, "policy": LEAF, "description": LEAF, "path": LEAF},
    ignored=UNREAD_TAGS,
    outputs=("id", "arn"),
)
def create_policy(aws: Aws, given: Given) -> Outputs:
    """Creates a policy that others attach to their roles."""
    policy = aws("iam").create_policy(
        PolicyName=given.need("name"),
        PolicyDocument=given.json_text("policy"),
        **present(Description=given.get("description"), Path=given.get("path")),
    )["Policy"]
    return {"id": policy["Arn"], "arn": policy["Arn"]}
