"""Grants that no function uses in the end-to-end run, each with the reason for it.

The audit fails on an outdated reason: the tests now use the grant, or the grant is gone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_STACK = json.loads((Path(__file__).resolve().parents[2] / "pulumi/stack.json").read_text())
FUNCTIONS = tuple(function["name"] for function in _STACK["functions"])


@dataclass(frozen=True)
class Reason:
    """Why a function has a grant that it didn't use. `*` in the resource matches anything."""

    function: str
    action: str
    resource: str
    why: str
    # The end-to-end tests use the grant in some runs, by chance: then the reason isn't outdated.
    may_be_used: bool = False


# Grants that Lambda itself uses in a function's name. The emulator doesn't check them, so no test here proves them. They are
# those of AWS's own AWSLambdaSQSQueueExecutionRole, without the right to create log groups.
_BY_LAMBDA = [
    *(
        Reason(function, action, "*:log-group:/aws/lambda/*", "Lambda writes what a function logs in its name")
        for function in FUNCTIONS
        for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    ),
    *(
        Reason(function, action, f"*:hubbub-local-{queue}.fifo", "Lambda takes messages off the queue in its name")
        for function, queue in (("deliver", "publish"), ("announce", "presence"))
        for action in ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")
    ),
]

# Grants for what happens only after a failure or a very long time.
_SELDOM = [
    Reason(
        "plan-broadcast",
        "states:StartExecution",
        "*:stateMachine:hubbub-local-broadcast",
        "a broadcast starts its successor after some 15,000 events: "
        "`long_broadcast_hands_over_without_loss` does so after 50",
    ),
    Reason(
        "announce",
        "dynamodb:DeleteItem",
        "*:table/hubbub-local-table",
        "it prunes a watcher whose socket is gone, if no delivery finds that first: `announcement_prunes_a_gone_socket`",
        may_be_used=True,
    ),
    Reason(
        "announce",
        "sqs:SendMessage",
        "*:hubbub-local-presence.fifo",
        "it requests a room again when time is up: `room_without_time_is_requested_again`",
        may_be_used=True,
    ),
]

REASONS = [*_BY_LAMBDA, *_SELDOM]
