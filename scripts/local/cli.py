"""The command line: `up` and `run`."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from .aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from .build import ROOT
from .console import Console
from .errors import LocalError
from .ministack import check_port
from .page import serving_page
from .signals import Interrupted, check_interrupted, raise_on_signals
from .stack import DEFAULT_FOLDER, Options, Stack, running_stack

UP_PORT = 4566

# How long a command has after an interrupt before it is killed.
_COMMAND_GRACE_SECONDS = 10


def main(arguments: list[str]) -> int:
    """Runs the tool and returns its exit code: 0, the command's, 128 + a signal's number, 1 after an error, 2 after a
    wrong call."""
    own, command = _split(arguments)
    parsed = _parser().parse_args(own, argparse.Namespace(command=command))
    console = Console(parsed.quiet)
    raise_on_signals()
    try:
        return int(parsed.act(parsed, console))
    except LocalError as error:
        console.fail(str(error))
        return 1
    except Interrupted as interrupted:
        console.note(str(interrupted))
        return interrupted.exit_code


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--inline-limit",
        type=_limit,
        metavar="K",
        help="a room with more members goes to the state machine; shards and pages get this size too",
    )
    common.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="KEY=VALUE",
        help="set a configuration value of the Pulumi program, for example leaseSeconds=5; may be repeated",
    )
    common.add_argument(
        "--dir",
        type=Path,
        metavar="FOLDER",
        help="folder for outputs.json and the logs (target/local, or target/local-PORT while that is in use)",
    )
    common.add_argument(
        "--enforce-policies",
        action="store_true",
        help="let each function do only what its IAM policy allows, as on AWS",
    )
    common.add_argument(
        "--record-calls",
        action="store_true",
        help="write each function's calls to calls.json and its grants to policies.json; needs --enforce-policies, "
        "because otherwise all functions share one access key",
    )
    common.add_argument(
        "--packaged",
        action="store_true",
        help="run the functions made by scripts/package, which are what is deployed, instead of a quick build",
    )
    common.add_argument(
        "--restarts",
        action="store_true",
        help="start the emulator again when it is stopped (SIGTERM to the process in FOLDER/ministack.pid), with its "
        "stored data; its sockets are lost, as in an outage of a gateway",
    )
    common.add_argument(
        "--bin",
        action="append",
        default=[],
        metavar="NAME",
        help="build this binary together with the functions; may be repeated",
    )
    common.add_argument("--quiet", action="store_true", help="print nothing but errors")

    parser = argparse.ArgumentParser(prog="local", description="Runs Hubbub on this host, without an AWS account.")
    commands = parser.add_subparsers(required=True, metavar="{up,run}")

    up = commands.add_parser("up", parents=[common], help="keep a stack running until Ctrl-C")
    up.add_argument("--port", type=_port, default=UP_PORT, help="port of the emulator (%(default)s)")
    up.add_argument("--page-port", type=_port, metavar="P", help="port of the page (the emulator's port plus one)")
    up.set_defaults(act=_up)

    run = commands.add_parser(
        "run",
        parents=[common],
        usage="%(prog)s [options] -- COMMAND [ARGUMENT]...",
        help="run a command on a stack of its own",
        description="Runs a command on a stack of its own. HUBBUB_OUTPUTS has the path of the stack's outputs.json. The "
        "exit code is the command's.",
    )
    run.add_argument("--port", type=_port, help="port of the emulator (a free one)")
    run.set_defaults(act=_run)
    return parser


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The tool's own arguments, and those after the first `--`. How argparse treats a second `--` depends on its version."""
    if "--" not in arguments:
        return arguments, []
    middle = arguments.index("--")
    return arguments[:middle], arguments[middle + 1 :]


def _limit(text: str) -> int:
    return _number_in(text, range(10_001))


def _port(text: str) -> int:
    return _number_in(text, range(1, 65_536))


def _number_in(text: str, allowed: range) -> int:
    if not text.isdecimal() or int(text) not in allowed:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from {allowed[0]} to {allowed[-1]}")
    return int(text)


def _setting(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"`{text}` must be written KEY=VALUE")
    return key, value


def _options(parsed: argparse.Namespace) -> Options:
    if parsed.record_calls and not parsed.enforce_policies:
        raise LocalError("--record-calls needs --enforce-policies, because otherwise all functions share one access key")
    return Options(
        port=parsed.port,
        folder=parsed.dir.resolve() if parsed.dir else None,
        inline_limit=parsed.inline_limit,
        settings=dict(parsed.set),
        enforce_policies=parsed.enforce_policies,
        record_calls=parsed.record_calls,
        packaged=parsed.packaged,
        restarts=parsed.restarts,
        binaries=parsed.bin,
    )


def _up(parsed: argparse.Namespace, console: Console) -> int:
    """Keeps a stack running until it is interrupted, which counts as success."""
    page_port = parsed.page_port or parsed.port + 1
    check_port(page_port, "--page-port")
    with running_stack(_options(parsed), console) as stack, serving_page(page_port, stack.outputs) as page:
        print(_introduction(stack, page), flush=True)
        try:
            while True:
                check_interrupted()
                stack.emulator.check_running()
                time.sleep(0.5)
        except Interrupted as interrupted:
            console.note(str(interrupted))
    return 0


def _run(parsed: argparse.Namespace, console: Console) -> int:
    """Runs a command on a stack of its own.

    The command gets a session of its own, so that Ctrl-C reaches it once, through the tool, with all its processes.
    """
    if not parsed.command:
        raise LocalError("there is no command to run; write it after `--`")
    with running_stack(_options(parsed), console) as stack:
        environment = {**os.environ, "HUBBUB_OUTPUTS": str(stack.outputs_file)}
        try:
            command = subprocess.Popen(parsed.command, env=environment, start_new_session=True)
        except OSError as error:
            raise LocalError(f"`{parsed.command[0]}` can't be run: {error.strerror}") from error
        try:
            return _exit_code(_wait(command, stack))
        except Interrupted as interrupted:
            _end(command, interrupted.number)
            raise
        except LocalError:
            _end(command, signal.SIGTERM)
            raise


def _wait(command: subprocess.Popen[bytes], stack: Stack) -> int:
    while True:
        check_interrupted()
        stack.emulator.check_running()
        try:
            return command.wait(timeout=1)
        except subprocess.TimeoutExpired:
            continue


def _end(command: subprocess.Popen[bytes], number: int) -> None:
    """Passes a signal on to the command and its processes, and kills those that don't end."""
    if command.poll() is not None:
        return
    os.killpg(command.pid, number)
    with suppress(subprocess.TimeoutExpired):
        command.wait(_COMMAND_GRACE_SECONDS)
    # A shell's background jobs ignore SIGINT, so the group may outlive the command.
    with suppress(ProcessLookupError):
        os.killpg(command.pid, signal.SIGKILL)
    command.wait()


def _exit_code(status: int) -> int:
    """A process's status as a shell reports it."""
    return status if status >= 0 else 128 - status


def _introduction(stack: Stack, page: str) -> str:
    """Addresses and commands to try the stack by hand."""
    outputs = stack.outputs
    envelope = {"v": 1, "channel": "room:lobby", "id": "order-17", "from": "orders", "body": {"text": "hello"}}
    send = [
        ["aws", "sqs", "send-message"],
        ["--endpoint-url", outputs["awsEndpoint"]],
        ["--queue-url", outputs["publishQueueUrl"]],
        ["--message-group-id", "room:lobby"],
        ["--message-deduplication-id", "orders:order-17"],
        ["--message-body", json.dumps(envelope)],
    ]
    credentials = (
        f"AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} AWS_DEFAULT_REGION={REGION}"
    )
    token = shlex.quote(str(ROOT / "scripts" / "token"))
    if stack.outputs_file.parent != DEFAULT_FOLDER:
        token = f"HUBBUB_OUTPUTS={shlex.quote(str(stack.outputs_file))} {token}"
    lines = " \\\n    ".join(shlex.join(part) for part in send)
    return f"""
Hubbub is up. Ctrl-C takes it down. Open the page in two windows and write messages:

  {page}

Addresses:

  WebSocket      {outputs["webSocketUrl"]}
  publish queue  {outputs["publishQueueUrl"]}
  outputs        {stack.outputs_file}

Open a socket as the user alice, and type the second line into it to join a room:

  npx --yes wscat --connect "{outputs["webSocketUrl"]}?token=$({token} alice)"
  {{"action": "join", "room": "lobby"}}

Send a message to that room, as any service would:

  {credentials} \\
  {lines}
"""
