"""Looks for secrets in the functions' logs of a run.

The emulator's own log, `ministack.log`, is not read: it has whole requests, and AWS has no such log.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .reasons import FUNCTIONS

# The file that the end-to-end tests write.
SECRETS = "secrets.json"

_FOLDER = "functions"

# The secrets that a run must send. Without this list, a lost test would look like a clean log.
_NEEDED = {"body", "token in the address", "token in the header", "token key"}

# A shorter secret could be found by chance, and a truncated one would not be found.
_LEAST_CHARACTERS = 20

# Any token, of any test: two parts that are JSON objects in base64.
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}")


def find(folder: Path) -> Iterator[str]:
    """The findings in the logs of a stack's folder."""
    planted = json.loads((folder / SECRETS).read_text())
    logs = {path.stem: path.read_text() for path in sorted((folder / _FOLDER).glob("*.log"))}
    yield from search(planted["secrets"], planted["witnesses"], logs)


def search(secrets: Mapping[str, str], witnesses: list[str], logs: Mapping[str, str]) -> Iterator[str]:
    """Finds secrets in logs, and signs that the logs or the secrets aren't those of a whole run."""
    for missing in sorted(_NEEDED - secrets.keys()):
        yield f"no `{missing}` was sent"
    for function in FUNCTIONS:
        if not any(name.endswith(f"-{function}") and text.strip() for name, text in logs.items()):
            yield f"`{function}` has logged nothing"
    for witness in witnesses or ["?"]:
        if not any(witness in text for text in logs.values()):
            yield f"`{witness}` is in no log: these are not the logs of the run that sent the secrets"
    for what, secret in secrets.items():
        if len(secret) < _LEAST_CHARACTERS:
            yield f"the {what} is too short to be looked for"
        forms = list(_forms(secret))
        for name, text in logs.items():
            if line := _line_with(text, forms):
                yield f"`{name}` has logged the {what}: {line}"
    for name, text in logs.items():
        if token := _TOKEN.search(text):
            yield f"`{name}` has logged what looks like a token: {token.group()[:24]}…"


def _line_with(text: str, forms: list[str]) -> str | None:
    """The beginning of the first line that has one of these."""
    for line in text.splitlines():
        if any(form in line for form in forms):
            return line[:200]
    return None


def _forms(secret: str) -> Iterator[str]:
    """A secret as a log might show it: as it is, a token's telling parts, a list of bytes, hexadecimal, base64."""
    yield secret
    if secret.count(".") == 2:
        yield from secret.split(".")[1:]
    data = secret.encode()
    yield ", ".join(str(byte) for byte in data)
    yield data.hex()
    for before in range(3):
        # A text has three forms in base64, by what stands before it. The characters at the ends are not its own alone.
        encoded = base64.b64encode(b"x" * before + data).decode().rstrip("=")
        yield encoded[4 if before else 0 : -2]
