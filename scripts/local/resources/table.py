"""DynamoDB tables."""

from __future__ import annotations

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present


@handles(
    "aws:dynamodb:Table",
    applied={
        "name": LEAF,
        "billingMode": LEAF,
        "hashKey": LEAF,
        "rangeKey": LEAF,
        "attributes": [{"name": LEAF, "type": LEAF}],
        "ttl": {"attributeName": LEAF, "enabled": LEAF},
        "serverSideEncryption": {"enabled": LEAF},
        "pointInTimeRecovery": {"enabled": LEAF},
        "deletionProtectionEnabled": LEAF,
    },
    ignored=UNREAD_TAGS,
    outputs=("id", "arn"),
)
def create_table(aws: Aws, given: Given) -> Outputs:
    """Creates a table on demand, and sets what the API only sets on a table that exists."""
    dynamodb = aws("dynamodb")
    name = given.need("name")
    if given.need("billingMode") != "PAY_PER_REQUEST":
        raise given.wrong("billingMode", "the local stack only knows `PAY_PER_REQUEST`")
    keys = [{"AttributeName": given.need("hashKey"), "KeyType": "HASH"}]
    if given.get("rangeKey"):
        keys.append({"AttributeName": given.get("rangeKey"), "KeyType": "RANGE"})
    encrypted = given.get("serverSideEncryption", {}).get("enabled", False)
    table = dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=keys,
        AttributeDefinitions=[
            {"AttributeName": attribute["name"], "AttributeType": attribute["type"]}
            for attribute in given.need("attributes")
        ],
        **present(
            SSESpecification={"Enabled": True} if encrypted else None,
            DeletionProtectionEnabled=given.get("deletionProtectionEnabled"),
        ),
    )["TableDescription"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    time_to_live = given.get("ttl")
    if time_to_live and time_to_live.get("enabled", True):
        dynamodb.update_time_to_live(
            TableName=name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": time_to_live["attributeName"]},
        )
    if given.get("pointInTimeRecovery", {}).get("enabled", False):
        dynamodb.update_continuous_backups(
            TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
    return {"id": name, "arn": table["TableArn"]}
