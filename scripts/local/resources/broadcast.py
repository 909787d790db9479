"""Step Functions state machines."""

from __future__ import annotations

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present


@handles(
    "aws:sfn:StateMachine",
    applied={
        "name": LEAF,
        "type": LEAF,
        "roleArn": LEAF,
        "definition": LEAF,
        "loggingConfiguration": {"level": LEAF, "includeExecutionData": LEAF, "logDestination": LEAF},
        "tracingConfiguration": {"enabled": LEAF},
    },
    ignored={**UNREAD_TAGS, "publish": "the local stack starts no versions"},
    outputs=("id", "arn", "status"),
)
def create_state_machine(aws: Aws, given: Given) -> Outputs:
    """Creates a state machine."""
    logging = given.get("loggingConfiguration")
    tracing = given.get("tracingConfiguration")
    machine = aws("stepfunctions").create_state_machine(
        name=given.need("name"),
        definition=given.json_text("definition"),
        roleArn=given.need("roleArn"),
        **present(
            type=given.get("type"),
            loggingConfiguration=None if logging is None else _logging(logging, given),
            tracingConfiguration=tracing,
        ),
    )
    arn = machine["stateMachineArn"]
    return {"id": arn, "arn": arn, "status": "ACTIVE"}


def _logging(logging: dict[str, object], given: Given) -> dict[str, object]:
    """The logging configuration as the API wants it: a list of destinations instead of one."""
    destination = logging.get("logDestination")
    if destination is not None and not str(destination).endswith(":*"):
        raise given.wrong("loggingConfiguration.logDestination", "it must end in `:*`")
    return present(
        level=logging.get("level"),
        includeExecutionData=logging.get("includeExecutionData"),
        destinations=None if destination is None else [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}],
    )
