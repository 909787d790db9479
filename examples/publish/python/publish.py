"""Publishes a message to a room and one to a user. All it needs of Hubbub is the URL of the publish queue.

Usage: python publish.py QUEUE_URL ROOM USER TEXT
"""

import json
import sys
import uuid

import boto3
from botocore.exceptions import BotoCoreError, ClientError

SENDER = "example-python"


def publish(sqs, queue_url: str, channel: str, body: object) -> None:
    """Puts a message for a channel on the queue. When this returns, the message is durable."""
    # If the outcome of a send is unknown, send again with the same id: the server then keeps one message.
    message_id = uuid.uuid4().hex
    envelope = {"v": 1, "channel": channel, "id": message_id, "from": SENDER, "body": body}
    sqs.send_message(
        QueueUrl=queue_url,
        MessageBody=json.dumps(envelope),
        MessageGroupId=channel,
        MessageDeduplicationId=f"{SENDER}/{message_id}",
    )
    print(f"{channel}: {message_id}")


def main(arguments: list[str]) -> int:
    if len(arguments) != 4:
        print("usage: python publish.py QUEUE_URL ROOM USER TEXT", file=sys.stderr)
        return 2
    queue_url, room, user, text = arguments
    try:
        sqs = boto3.client("sqs")
        for channel in (f"room:{room}", f"user:{user}"):
            publish(sqs, queue_url, channel, {"text": text})
    except ClientError as error:
        print(f"error: the queue refused: {error}", file=sys.stderr)
        return 1
    except BotoCoreError as error:
        print(f"error: the message could not be sent: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
