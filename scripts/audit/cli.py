"""The command line: `policies`, `privileges` and `logs`."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from local.errors import LocalError
from local.program import Program, parse_program

from . import logs, policies, privileges

# The configurations to render: the cloud's, the same with traces or public keys, and the local stack's.
_CONFIGURATIONS = {
    "cloud": {},
    "cloud with tracing": {"hubbub:tracing": "true"},
    "cloud with public keys": {
        "hubbub:tokenAlgorithm": "ES256",
        "hubbub:tokenJwksUrl": "https://example.com/.well-known/jwks.json",
    },
    "local": {"hubbub:awsEndpoint": "http://127.0.0.1:4566"},
}


def main(arguments: list[str]) -> int:
    """Runs the tool and returns its exit code: 0 if nothing is wrong, 1 if something is, 2 after a wrong call."""
    parsed = _parser().parse_args(arguments)
    try:
        findings = list(parsed.find(parsed))
    except LocalError as error:
        findings = [str(error)]
    except OSError as error:
        findings = [f"`{error.filename}` can't be read: {error.strerror}"]
    for finding in findings:
        print(f"error: {finding}", file=sys.stderr)
    return 1 if findings else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="audit", description="Checks Hubbub's promises about permissions and secrets."
    )
    commands = parser.add_subparsers(required=True, metavar="{policies,privileges,logs}")

    command = commands.add_parser("policies", help="check the policies of the rendered program")
    command.add_argument("renderer", type=Path, metavar="PROGRAM", help="the binary that prints the Pulumi program")
    command.set_defaults(find=_find_in_policies)

    command = commands.add_parser("privileges", help="compare the functions' calls with their grants")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a local stack that ran with --record-calls")
    command.set_defaults(find=lambda parsed: privileges.find(parsed.folder))

    command = commands.add_parser("logs", help="look for secrets in the functions' logs")
    command.add_argument("folder", type=Path, metavar="FOLDER", help="folder of a local stack that ran the end-to-end tests")
    command.set_defaults(find=lambda parsed: logs.find(parsed.folder))
    return parser


def _find_in_policies(parsed: argparse.Namespace) -> Iterator[str]:
    programs = {name: _render(parsed.renderer, config) for name, config in _CONFIGURATIONS.items()}
    return policies.find(programs)


def _render(renderer: Path, config: dict[str, str]) -> Program:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    environment["PULUMI_CONFIG"] = json.dumps(config)
    rendered = subprocess.run([renderer], env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if rendered.returncode != 0:
        raise LocalError(f"rendering the program has failed with status {rendered.returncode}")
    return parse_program(rendered.stdout)
