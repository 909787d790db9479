"""SQS queues, and who may not speak to them."""

from __future__ import annotations

import json

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles

# A queue's attributes by the properties that set them. All are texts in SQS.
_ATTRIBUTES = {
    "fifoQueue": "FifoQueue",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "delaySeconds": "DelaySeconds",
    "maxMessageSize": "MaximumMessageSize",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
}
_DOCUMENTS = {"redrivePolicy": "RedrivePolicy", "redriveAllowPolicy": "RedriveAllowPolicy"}


@handles(
    "aws:sqs:Queue",
    applied={"name": LEAF, **dict.fromkeys(_ATTRIBUTES, LEAF), **dict.fromkeys(_DOCUMENTS, LEAF)},
    ignored=UNREAD_TAGS,
    outputs=("id", "arn", "url"),
)
def create_queue(aws: Aws, given: Given) -> Outputs:
    """Creates a queue."""
    sqs = aws("sqs")
    name = given.need("name")
    if bool(given.get("fifoQueue")) != name.endswith(".fifo"):
        raise given.wrong("name", f"a queue's name ends in `.fifo` exactly if it is a FIFO queue, and this is `{name}`")
    attributes = {
        attribute: _as_text(given.get(key)) for key, attribute in _ATTRIBUTES.items() if given.get(key) is not None
    }
    # SQS refuses `FifoQueue: false`: a standard queue has no such attribute.
    if attributes.get("FifoQueue") == "false":
        del attributes["FifoQueue"]
    for key, attribute in _DOCUMENTS.items():
        if given.get(key) is not None:
            attributes[attribute] = given.json_text(key)
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return {"id": url, "url": url, "arn": arn}


# What a queue's policy may say here. Its resource is left out of the comparison.
_WITHOUT_TLS = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@handles("aws:sqs:QueuePolicy", applied={"queueUrl": LEAF, "policy": LEAF}, outputs=("id",))
def check_queue_policy(_aws: Aws, given: Given) -> Outputs:
    """Creates nothing, and takes no other policy than the one that refuses plain HTTP.

    The emulator is on plain HTTP and enforces queues' policies, so this one would refuse every call. What another policy
    says would be missed.
    """
    for statement in json.loads(given.json_text("policy")).get("Statement", []):
        if {key: value for key, value in statement.items() if key != "Resource"} != _WITHOUT_TLS:
            raise given.wrong("policy", "the local stack, which has no TLS, only takes one that refuses plain HTTP")
    return {"id": given.need("queueUrl")}


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
