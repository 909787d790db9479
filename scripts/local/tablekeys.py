"""The keys and attributes of the table's rows that the dashboard reads.

`hubbub_aws::table` writes these rows, and says how they look.
"""

from __future__ import annotations

from .build import STACK

_TABLE = STACK["tableKeys"]
_ATTRIBUTES = _TABLE["attributes"]

# Attributes of a channel's own row.
HEAD = _ATTRIBUTES["head"]
SENT = _ATTRIBUTES["sent"]
SHARDS = _ATTRIBUTES["shards"]
LEASE = _ATTRIBUTES["lease"]
LEASE_UNTIL = _ATTRIBUTES["leaseUntil"]
# An attribute of a shard's own row.
MEMBERS = _ATTRIBUTES["members"]

Key = dict[str, dict[str, str]]


def channel(name: str) -> Key:
    """The key of a channel's own row."""
    return _key(_TABLE["prefixes"]["channel"] + name)


def shard(channel: str, number: int) -> Key:
    """The key of the own row of a shard of a channel's members."""
    return _key(f"{_TABLE['prefixes']['shard']}{channel}#{number}")


def _key(partition: str) -> Key:
    return {_TABLE["partition"]: {"S": partition}, _TABLE["sort"]: {"S": _TABLE["self"]}}
