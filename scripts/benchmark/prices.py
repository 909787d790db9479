"""What AWS asks for the parts of a broadcast, and what a broadcast comes to.

Prices on demand in us-east-1, in US dollars, as AWS's price pages had them in November 2026. No free tier, no discount,
no data transfer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# API Gateway, WebSocket: for each message of up to 32 KB, in either direction.
API_GATEWAY_MESSAGE = 1.00 / 1e6
# Lambda on arm64: for each GB-second, where a GB is 1,024 of the MB that memory is set in.
LAMBDA_GB_SECOND = 0.0000133334
# Lambda: for each request.
LAMBDA_REQUEST = 0.20 / 1e6
# DynamoDB: for each read unit.
DYNAMODB_READ_UNIT = 0.125 / 1e6
# Step Functions, Standard: for each transition between states.
STEP_FUNCTIONS_TRANSITION = 25.00 / 1e6

# A sender's memory, which comes with one whole processor.
SENDER_GB = 1_769 / 1_024
# How many senders share the posts of a broadcast that goes to the state machine.
SENDERS = 2
# Posts a second of an account, where it has not asked for more.
QUOTA = 10_000
# The settings' defaults: members up to which one invocation delivers, and members of a page.
INLINE_LIMIT = 1_000
PAGE_MEMBERS = 5_000
# Transitions of a broadcast of one round beside its pages: PlanBroadcast, IsSettled?, FanOut, and again PlanBroadcast, IsSettled?, Settled.
BROADCAST_TRANSITIONS = 6
# Invocations beside those of the pages: the planning and the settling of a round.
ROUND_INVOCATIONS = 2


@dataclass(frozen=True)
class Measured:
    """What a broadcast to so many members took.

    `seconds` is how long it took, where that was measured under `QUOTA`; otherwise it is nothing, and the time is
    reckoned by the quota.
    `senders` is how many shared its posts, where it went to the state machine.
    """

    members: int
    cpu_us_per_member: float
    read_units_per_member: float
    seconds: float | None = None
    senders: int = SENDERS


@dataclass(frozen=True)
class Price:
    """What a broadcast costs by part, in dollars, and the seconds that Lambda bills for."""

    api_gateway: float
    lambda_: float
    dynamodb: float
    step_functions: float
    billed_seconds: float

    @property
    def added(self) -> float:
        """What comes on top of API Gateway's own charge."""
        return self.lambda_ + self.dynamodb + self.step_functions

    @property
    def added_share(self) -> float:
        """The same as a share of that charge."""
        return self.added / self.api_gateway


def price(measured: Measured) -> Price:
    """The price of one message of at most 32 KB to all members of a room."""
    inline = measured.members <= INLINE_LIMIT
    pages = 0 if inline else math.ceil(measured.members / PAGE_MEMBERS)
    senders = 1 if inline else min(measured.senders, pages)
    seconds = measured.members / QUOTA if measured.seconds is None else measured.seconds
    # A sender is billed for as long as it runs, busy or not; and it can't be billed for less than it computes.
    billed = max(senders * seconds, measured.members * measured.cpu_us_per_member / 1e6)
    invocations = 1 if inline else ROUND_INVOCATIONS + pages
    transitions = 0 if inline else BROADCAST_TRANSITIONS + pages
    return Price(
        api_gateway=measured.members * API_GATEWAY_MESSAGE,
        lambda_=billed * SENDER_GB * LAMBDA_GB_SECOND + invocations * LAMBDA_REQUEST,
        dynamodb=measured.members * measured.read_units_per_member * DYNAMODB_READ_UNIT,
        step_functions=transitions * STEP_FUNCTIONS_TRANSITION,
        billed_seconds=billed,
    )
