"""Waits until a stack answers."""

from __future__ import annotations

import base64
import http.client
import os
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from .aws import Aws
from .errors import LocalError

_SECONDS = 30
_REFUSED = (http.client.UNAUTHORIZED, http.client.FORBIDDEN)


def wait_until_ready(aws: Aws, outputs: dict[str, Any], check_running: Callable[[], None]) -> None:
    """Waits until every function is active and the API refuses a socket that has no token.

    The refusal shows that the API, its authorizer and the authorizer's function work, and it stores nothing.

    Raises:
        LocalError: names the part that wasn't ready in time.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        check_running()
        pending = _pending_function(aws) or _pending_api(outputs["webSocketUrl"])
        if pending is None:
            return
        if time.monotonic() > deadline:
            raise LocalError(f"after {_SECONDS} s, {pending}")
        time.sleep(0.05)


def _pending_function(aws: Aws) -> str | None:
    """The state of the first function that isn't active."""
    for page in aws("lambda").get_paginator("list_functions").paginate():
        for function in page["Functions"]:
            if function.get("State", "Active") != "Active":
                return f"the function `{function['FunctionName']}` is `{function['State']}`"
    return None


def _pending_api(url: str) -> str | None:
    """The API's answer to a socket without a token, if it isn't a refusal."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        connection.request(
            "GET",
            parts.path,
            headers={
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            },
        )
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"the API doesn't answer: {error}"
    finally:
        connection.close()
    if status in _REFUSED:
        return None
    return f"the API answers a socket without a token with {status} instead of 401 or 403"
