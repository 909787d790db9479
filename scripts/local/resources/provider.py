"""The provider itself. Locally there is none: the clients are. But where it is told to send its calls must be here."""

from __future__ import annotations

from ..aws import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Aws
from .handler import LEAF, Given, Outputs, handles

_UNCHECKED = "the emulator accepts every credential, and the local stack's clients ask nothing about theirs"


@handles(
    "pulumi:providers:aws",
    applied={"region": LEAF, "endpoints": [LEAF], "accessKey": LEAF, "secretKey": LEAF},
    ignored={
        "defaultTags": "nothing in the local stack reads tags",
        "skipCredentialsValidation": _UNCHECKED,
        "skipMetadataApiCheck": _UNCHECKED,
        "skipRequestingAccountId": _UNCHECKED,
        "skipRegionValidation": _UNCHECKED,
    },
    secret=("accessKey", "secretKey"),
    outputs=("id",),
)
def configure_provider(aws: Aws, given: Given) -> Outputs:
    """Creates nothing; only holds the program to the region, the endpoint and the credentials of the clients."""
    expected = {"region": aws.region, "accessKey": ACCESS_KEY_ID, "secretKey": SECRET_ACCESS_KEY}
    for key, value in expected.items():
        if given.get(key, value) != value:
            raise given.wrong(key, f"it is `{given.get(key)}`, but the local stack's is `{value}`")
    for endpoints in given.get("endpoints", []):
        for service, endpoint in endpoints.items():
            if endpoint != aws.endpoint:
                raise given.wrong("endpoints", f"`{service}` is at `{endpoint}`, but MiniStack at `{aws.endpoint}`")
    return {"id": "local"}
