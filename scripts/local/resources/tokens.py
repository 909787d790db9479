"""SSM parameters."""

from __future__ import annotations

from ..aws import Aws
from .handler import LEAF, UNREAD_TAGS, Given, Outputs, handles, present


@handles(
    "aws:ssm:Parameter",
    applied={
        "name": LEAF,
        "type": LEAF,
        "value": LEAF,
        "valueWo": LEAF,
        "valueWoVersion": LEAF,
        "description": LEAF,
        "tier": LEAF,
        "dataType": LEAF,
    },
    ignored=UNREAD_TAGS,
    # A write-only value is never an output, which is what it is for.
    secret=("value", "valueWo"),
    outputs=("id", "arn", "version"),
)
def put_parameter(aws: Aws, given: Given) -> Outputs:
    """Writes a parameter, whose value is either `value` or `valueWo`."""
    parameters = aws("ssm")
    name = given.need("name")
    if (given.get("value") is None) == (given.get("valueWo") is None):
        raise given.wrong("valueWo", "exactly one of `value` and `valueWo` must be there")
    if given.get("valueWo") is not None:
        given.need("valueWoVersion")
    version = parameters.put_parameter(
        Name=name,
        Type=given.need("type"),
        Value=given.get("value", given.get("valueWo")),
        **present(
            Description=given.get("description"),
            Tier=given.get("tier"),
            DataType=given.get("dataType"),
        ),
    )["Version"]
    account = aws("sts").get_caller_identity()["Account"]
    arn = f"arn:aws:ssm:{aws.region}:{account}:parameter{name if name.startswith('/') else f'/{name}'}"
    return {"id": name, "arn": arn, "version": version}
