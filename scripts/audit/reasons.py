"""Grants that no function calls in the end-to-end run, each with the reason why it is there all the same.

A reason that explains nothing any more fails the audit: when the tests reach what it stands for, or the grant is gone.
"""

from __future__ import annotations

from dataclasses import dataclass

FUNCTIONS = ("authorize", "connect", "disconnect", "receive", "deliver", "announce", "plan-broadcast", "deliver-page")


@dataclass(frozen=True)
class Reason:
    """Why a function has a grant that it didn't use. `*` in the resource stands for anything."""

    function: str
    action: str
    resource: str
    why: str


# What Lambda does by itself in a function's name. The emulator does it without asking for the grant, so nothing here
# proves it: these are what AWS's own AWSLambdaSQSQueueExecutionRole has, less the right to make log groups.
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

# What only happens when something else went wrong, or after a very long time.
_SELDOM = [
    Reason(
        "plan-broadcast",
        "states:StartExecution",
        "*:stateMachine:hubbub-local-broadcast",
        "a broadcast starts its successor after some 15,000 events: "
        "`a_long_broadcast_hands_over_to_a_fresh_execution_and_nothing_is_lost_between_them` does so after 50",
    ),
]

REASONS = [*_BY_LAMBDA, *_SELDOM]
