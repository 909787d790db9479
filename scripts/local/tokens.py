"""Signs tokens for the local stack. Its key is new at each start, so no other stack accepts them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any


def sign_token(key: str, user: str, *, seconds: int, grant: Mapping[str, Any] | None = None) -> str:
    """A token with which a user can connect. Without `grant` it has the stack's default capabilities."""
    claims: dict[str, Any] = {"sub": user, "exp": int(time.time()) + seconds}
    if grant is not None:
        claims["hubbub"] = grant
    signed = ".".join(_part(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    signature = hmac.digest(key.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_part(signature)}"


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
