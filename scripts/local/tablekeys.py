"""The keys and attributes of the table's rows that the dashboard reads.

`hubbub_aws::table` writes these rows, and says how they look.
"""

from __future__ import annotations

# Attributes of a channel's own row.
HEAD = "head"
SENT = "sent"
SHARDS = "shards"
LEASE = "lease"
LEASE_UNTIL = "lease_until"
# An attribute of a shard's own row.
MEMBERS = "members"

_PARTITION_KEY = "pk"
_SORT_KEY = "sk"
# The sort key of the row that a partition is about.
_SELF = "@"
_CHANNEL = "CH"
_SHARD = "MB"

Key = dict[str, dict[str, str]]


def channel(name: str) -> Key:
    """The key of a channel's own row."""
    return _key(_CHANNEL, name)


def shard(channel: str, number: int) -> Key:
    """The key of the own row of a shard of a channel's members."""
    return _key(_SHARD, channel, number)


def _key(*parts: str | int) -> Key:
    return {_PARTITION_KEY: {"S": "#".join(map(str, parts))}, _SORT_KEY: {"S": _SELF}}
