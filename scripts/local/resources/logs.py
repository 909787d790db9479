"""CloudWatch log groups."""

from __future__ import annotations

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles


@handles(
    "aws:cloudwatch:LogGroup",
    applied={"name": LEAF, "retentionInDays": LEAF},
    ignored={
        **UNREAD_TAGS,
        "skipDestroy": "it guards against deletion, and the local stack deletes by stopping the emulator",
    },
    outputs=("id", "arn"),
)
def create_log_group(aws: Aws, given: Given) -> Outputs:
    """Creates a log group."""
    logs = aws("logs")
    name = given.need("name")
    logs.create_log_group(logGroupName=name)
    if given.get("retentionInDays"):
        logs.put_retention_policy(logGroupName=name, retentionInDays=given.get("retentionInDays"))
    (group,) = [
        group
        for group in logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        if group["logGroupName"] == name
    ]
    # The API's ARN stands for the streams and ends in `:*`; Pulumi's stands for the group.
    return {"id": name, "arn": group["arn"].removesuffix(":*")}
