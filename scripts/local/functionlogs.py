"""Saves the functions' logs, which the emulator keeps in memory only."""

from __future__ import annotations

from pathlib import Path

import botocore.exceptions

from .aws import Aws

_GROUP_PREFIX = "/aws/lambda/"


def save_function_logs(endpoint: str, folder: Path) -> None:
    """Writes the log of each function that has one to `<folder>/<function>.log`.

    It runs while the stack is taken down, so it raises nothing: an unreadable log is left out.
    """
    aws = Aws(endpoint, attempts=1, timeout_seconds=5)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.log"):
        old.unlink()
    try:
        for page in aws("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_GROUP_PREFIX):
            for group in page["logGroups"]:
                _save_group(aws, group["logGroupName"], folder)
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError, OSError):
        return


def _save_group(aws: Aws, group: str, folder: Path) -> None:
    pages = aws("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    messages = [event["message"].rstrip("\n") + "\n" for page in pages for event in page["events"]]
    if messages:
        (folder / f"{group.removeprefix(_GROUP_PREFIX)}.log").write_text("".join(messages))
