"""Clients for the emulator. No setting of the operator's own AWS account may leak in."""

from __future__ import annotations

import os
from typing import Any

import botocore.config
import botocore.session

REGION = "us-east-1"
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"


class Aws:
    """Clients by service name, made at their first use.

    Profiles and proxies of the operator's environment are ignored: a missing profile would stop the start, and an
    existing one is for another account.

    Functions may get another endpoint, which leads to the same emulator.
    """

    def __init__(
        self, endpoint: str, *, functions_endpoint: str | None = None, attempts: int = 3, timeout_seconds: int = 60
    ) -> None:
        self.endpoint = endpoint
        self.functions_endpoint = functions_endpoint or endpoint
        self.region = REGION
        self._clients: dict[str, Any] = {}
        nothing = (None, None, os.devnull, None)
        self._session = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": nothing,
                "credentials_file": nothing,
            }
        )
        self._config = botocore.config.Config(
            proxies={},
            connect_timeout=5,
            read_timeout=timeout_seconds,
            retries={"mode": "standard", "total_max_attempts": attempts},
        )

    def __call__(self, service: str) -> Any:
        """The client of a service."""
        if service not in self._clients:
            self._clients[service] = self._session.create_client(
                service,
                region_name=self.region,
                endpoint_url=self.endpoint,
                aws_access_key_id=ACCESS_KEY_ID,
                aws_secret_access_key=SECRET_ACCESS_KEY,
                config=self._config,
            )
        return self._clients[service]
