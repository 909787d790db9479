"""The dashboard's data, read from the functions' logs, the table, the queues and the broadcasts.

The functions write their metrics into their logs in CloudWatch's embedded metric format. The emulator ignores them, so they
are read here as CloudWatch would read them: counts are added up, and every value of a time is kept.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from . import tablekeys as keys
from .aws import Aws

NAMESPACE = "Hubbub"

_GROUP_PREFIX = "/aws/lambda/"
_REPORT = re.compile(r"REPORT RequestId: \S+\tDuration: ([0-9.]+) ms")
# The first reading, or one after a pause, covers no more than this.
_LONGEST_WINDOW_MS = 10_000
_BROADCASTS = 8
_CHANNELS = 100
_BATCH = 100


class Dashboard:
    """Reads the dashboard's data from a stack. Threads may share it: one reads at a time."""

    def __init__(self, aws: Aws, outputs: Mapping[str, Any]) -> None:
        self._aws = aws
        self._table = outputs["tableName"]
        self._queues = {"waiting": outputs["publishQueueUrl"], "dead": outputs["deadLetterQueueUrl"]}
        self._state_machine = outputs["stateMachineArn"]
        self._ended: dict[str, dict[str, Any]] = {}
        self._has_metrics = False
        self._lock = threading.Lock()

    def read(self, since: int | None, channels: Iterable[str]) -> dict[str, Any]:
        """What happened since a moment in milliseconds, the `until` of the last reading, and the state now."""
        with self._lock:
            until = _now()
            begin = max(since or 0, until - _LONGEST_WINDOW_MS)
            return {
                "since": begin,
                "until": until,
                **self._done(begin, until),
                "channels": [self._channel(name) for name in list(channels)[:_CHANNELS]],
                "queues": {name: self._depth(url) for name, url in self._queues.items()},
                "broadcasts": self._broadcasts(),
            }

    def refusals(self, since: int) -> list[str]:
        """Why `authorize` and `connect` refused sockets since a moment, the latest last."""
        with self._lock:
            records = [
                (record["timestamp"], reason)
                for function in ("authorize", "connect")
                for group in self._groups()
                if group.endswith(f"-{function}")
                for record in self._log(group, since, _now() + 1)
                if (reason := _refusal(record["message"])) is not None
            ]
            return [reason for _, reason in sorted(records)]

    def _done(self, begin: int, until: int) -> dict[str, Any]:
        invocations: dict[str, list[float]] = {}
        metrics = Metrics()
        for group in self._groups():
            for record in self._log(group, begin, until):
                if report := _REPORT.match(record["message"]):
                    invocations.setdefault(group.removeprefix(_GROUP_PREFIX), []).append(float(report[1]))
                else:
                    metrics.add(record["message"])
        self._has_metrics |= metrics.is_any
        return {
            "invocations": invocations,
            # No metrics yet differs from metrics of zero: functions may write no metrics at all.
            "metrics": {"counts": metrics.counts, "times": metrics.times} if self._has_metrics else None,
        }

    def _groups(self) -> Iterator[str]:
        for page in self._aws("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_GROUP_PREFIX):
            for group in page["logGroups"]:
                yield group["logGroupName"]

    def _log(self, group: str, begin: int, until: int) -> Iterator[dict[str, Any]]:
        pages = self._aws("logs").get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=begin, endTime=until - 1
        )
        for page in pages:
            yield from page["events"]

    def _channel(self, name: str) -> dict[str, Any]:
        key = keys.channel(name)
        item = self._aws("dynamodb").get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item", {})
        head, sent, shards = (_number(item, name) for name in (keys.HEAD, keys.SENT, keys.SHARDS))
        lease_until = _number(item, keys.LEASE_UNTIL)
        return {
            "channel": name,
            "head": head,
            "sent": sent,
            "shards": shards,
            "members": sum(_number(shard, keys.MEMBERS) for shard in self._shards(name, max(shards, 1))),
            "isBroadcast": keys.LEASE in item and lease_until > _now(),
        }

    def _shards(self, channel: str, count: int) -> Iterator[dict[str, Any]]:
        shards = [keys.shard(channel, shard) for shard in range(count)]
        for first in range(0, count, _BATCH):
            request = {self._table: {"Keys": shards[first : first + _BATCH], "ConsistentRead": True}}
            answer = self._aws("dynamodb").batch_get_item(RequestItems=request)
            yield from answer["Responses"].get(self._table, [])

    def _depth(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self._aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(attributes[name]) for name in names)

    def _broadcasts(self) -> list[dict[str, Any]]:
        """The latest executions of the state machine. An execution that has ended is read once."""
        executions = self._aws("stepfunctions").list_executions(
            stateMachineArn=self._state_machine, maxResults=_BROADCASTS
        )["executions"]
        found = [self._ended.get(it["executionArn"]) or self._broadcast(it) for it in executions]
        self._ended = {it["id"]: it for it in found if it["status"] != "RUNNING"}
        return found

    def _broadcast(self, execution: Mapping[str, Any]) -> dict[str, Any]:
        arn = execution["executionArn"]
        steps = self._aws("stepfunctions")
        parts = steps.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for part in parts for event in part["events"]]
        # A round's plan is the Map state's input. The emulator's history doesn't have the iterations.
        plans = [event["stateEnteredEventDetails"]["input"] for event in events if event["type"] == "MapStateEntered"]
        stopped = execution.get("stopDate")
        return {
            "id": arn,
            "channel": json.loads(steps.describe_execution(executionArn=arn)["input"]).get("channel"),
            "status": execution["status"],
            "rounds": len(plans),
            "pages": sum(len(json.loads(plan)["pages"]) for plan in plans),
            "startedAt": round(execution["startDate"].timestamp() * 1_000),
            "stoppedAt": round(stopped.timestamp() * 1_000) if stopped else None,
        }


class Metrics:
    """Metrics from lines in CloudWatch's embedded metric format. Other lines are ignored."""

    def __init__(self) -> None:
        self.counts: dict[str, float] = {}
        self.times: dict[str, list[float]] = {}
        self.is_any = False

    def add(self, line: str) -> None:
        """Reads a line of a log."""
        record = _parse(line)
        metadata = record.get("_aws")
        if not isinstance(metadata, dict):
            return
        for directive in metadata.get("CloudWatchMetrics", []):
            if directive.get("Namespace") != NAMESPACE:
                continue
            for definition in directive.get("Metrics", []):
                name = definition["Name"]
                given = record.get(name, [])
                values = given if isinstance(given, list) else [given]
                self.is_any = True
                if definition.get("Unit") == "Milliseconds":
                    self.times.setdefault(name, []).extend(values)
                else:
                    self.counts[name] = self.counts.get(name, 0) + sum(values)


def _refusal(line: str) -> str | None:
    """The reason, if the line says that a socket was refused."""
    record = _parse(line)
    fields = record.get("fields", record)
    message = str(fields.get("message", ""))
    if not message.startswith("refused"):
        return None
    return str(fields.get("reason") or message.removeprefix("refused").lstrip(": "))


def _parse(line: str) -> dict[str, Any]:
    if not line.startswith("{"):
        return {}
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _number(item: Mapping[str, Any], name: str) -> int:
    return int(item.get(name, {}).get("N", 0))


def _now() -> int:
    return time.time_ns() // 1_000_000
