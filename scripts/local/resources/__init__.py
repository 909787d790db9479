"""How each resource type is created: one handler a type, each with the exact list of properties that it knows.

Importing this package registers them all; `HANDLERS` maps a type to its handler.
"""

from . import api, broadcast, functions, logs, monitoring, policies, provider, queues, table, tokens
from .handler import HANDLERS, Given, Handler

__all__ = [
    "HANDLERS",
    "Given",
    "Handler",
    "api",
    "broadcast",
    "functions",
    "logs",
    "monitoring",
    "policies",
    "provider",
    "queues",
    "table",
    "tokens",
]
