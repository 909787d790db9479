"""Starts a local stack step by step, and takes everything down in the end, whatever happens."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import build
from .apply import Deployment, apply, check
from .aws import Aws
from .console import Console
from .errors import LocalError
from .functionlogs import save_function_logs
from .functionpolicies import save_function_policies
from .ministack import MiniStack, check_port, free_port
from .program import Program, parse_program
from .readiness import wait_until_ready
from .recorder import Recorder, recording
from .signals import ignore_signals

STACK = "local"
PROJECT = "hubbub"
DEFAULT_FOLDER = build.ROOT / "target" / "local"

# The outputs that scripts and tests need.
_NEEDED_OUTPUTS = (
    "awsEndpoint",
    "region",
    "webSocketUrl",
    "callbackUrl",
    "publishQueueUrl",
    "presenceQueueUrl",
    "deadLetterQueueUrl",
    "tableName",
    "stateMachineArn",
    "tokenKeyParameter",
)


@dataclass(frozen=True)
class Options:
    """How to start a stack.

    - `port`: a free one if it is not given.
    - `folder`: `target/local` if it is not given, or a folder beside it while another stack uses that one.
    - `settings`: configuration values of the Pulumi program.
    - `enforce_policies`: each function may do only what its policy allows, as on AWS.
    - `record_calls`: when the stack is taken down, write each function's calls and grants; needs `enforce_policies`.
    - `packaged`: run the functions that `scripts/package` has made.
    - `restarts`: start the emulator again when it is stopped from outside.
    - `binaries`: build these together with the functions, because something will run them on the stack.
    """

    port: int | None = None
    folder: Path | None = None
    inline_limit: int | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    enforce_policies: bool = False
    record_calls: bool = False
    packaged: bool = False
    restarts: bool = False
    binaries: Sequence[str] = ()


@dataclass(frozen=True)
class Stack:
    """A running stack."""

    emulator: MiniStack
    outputs: dict[str, Any]
    outputs_file: Path


@contextmanager
def running_stack(options: Options, console: Console) -> Iterator[Stack]:
    """Runs a stack for as long as the block runs.

    Raises:
        LocalError: a step fails. Everything that was started is taken down.
    """
    port = options.port or free_port()
    check_port(port)
    recorder_or_none = recording(port) if options.record_calls else nullcontext()
    with _locked_folder(options.folder, port) as (folder, lock), recorder_or_none as recorder:
        renderer = _build(options, console)
        emulator = MiniStack(
            port, folder, lock, enforce_policies=options.enforce_policies, restarts=options.restarts
        )
        deployment = Deployment(STACK, _config(options, emulator.endpoint), build.PULUMI)
        program = _render(renderer, deployment, console)
        outputs_file = folder / "outputs.json"
        # A tool that was killed left its outputs here.
        outputs_file.unlink(missing_ok=True)
        answers = False
        try:
            outputs = _start(emulator, program, deployment, recorder, console)
            _write_whole(outputs_file, json.dumps(outputs, indent=2) + "\n")
            answers = True
            yield Stack(emulator, outputs, outputs_file)
        except LocalError:
            if not answers or not emulator.is_running():
                console.show_tail(emulator.log)
            raise
        finally:
            ignore_signals()
            outputs_file.unlink(missing_ok=True)
            with console.step("take everything down"):
                if emulator.is_running():
                    save_function_logs(emulator.endpoint, folder / "functions")
                    if recorder is not None:
                        save_function_policies(emulator.endpoint, folder)
                emulator.stop()
                if recorder is not None:
                    recorder.save(folder)


def _build(options: Options, console: Console) -> Path:
    """Builds and packs the functions, or takes the packaged ones. Returns the renderer of the Pulumi program."""
    with console.step("build the functions and the Pulumi program", chatty=True):
        binaries = build.build_binaries(console.quiet, options.binaries)
    if options.packaged:
        folder = build.ZIPS / build.host_architecture()
        with console.step(f"take the functions in {folder}"):
            build.take_packaged(folder)
    else:
        with console.step("pack the functions"):
            build.pack_functions(binaries)
    return binaries[build.PROGRAM]


def _render(renderer: Path, deployment: Deployment, console: Console) -> Program:
    """Renders the program and checks it before anything is started."""
    with console.step("render the Pulumi program"):
        program = parse_program(build.render_program(renderer, deployment.stack, deployment.config))
        check(program)
    return program


def _start(
    emulator: MiniStack, program: Program, deployment: Deployment, recorder: Recorder | None, console: Console
) -> dict[str, Any]:
    """Starts the emulator, applies the program, waits until it answers, and returns the outputs."""
    aws = Aws(emulator.endpoint, functions_endpoint=recorder.endpoint if recorder else None)
    with console.step(f"start MiniStack at {emulator.endpoint}"):
        emulator.start()
    if recorder is not None:
        recorder.know_account(aws("sts").get_caller_identity()["Account"])
    with console.step(f"create {len(program.resources)} resources"):
        outputs = {**apply(program, deployment, aws), "awsEndpoint": emulator.endpoint}
    missing = [name for name in _NEEDED_OUTPUTS if not outputs.get(name)]
    if missing:
        raise LocalError(f"the program has no output `{missing[0]}`")
    with console.step("wait until the stack answers"):
        wait_until_ready(aws, outputs, emulator.check_running)
    return outputs


def _config(options: Options, endpoint: str) -> dict[str, str]:
    """The program's configuration as Pulumi passes it: strings by `project:key`, from the stack's file and the options."""
    settings = {
        "awsEndpoint": endpoint,
        "architecture": build.host_architecture(),
        # New at each start, so that another stack refuses this one's tokens.
        "tokenKey": secrets.token_urlsafe(32),
    }
    if options.inline_limit is not None:
        limit = options.inline_limit
        # With equal sizes, a room just above the limit already has several pages. A shard or page has at least one member.
        least_one = str(max(limit, 1))
        settings.update(inlineLimit=str(limit), shardMembers=least_one, pageMembers=least_one)
    settings.update(options.settings)
    config = {key if ":" in key else f"{PROJECT}:{key}": value for key, value in settings.items()}
    return {**build.stack_config(STACK), **config}


@contextmanager
def _locked_folder(wanted: Path | None, port: int) -> Iterator[tuple[Path, int]]:
    """Locks a folder for this stack alone; yields it and the lock's file descriptor.

    The lock ends with the processes that hold it, so it can't go stale.

    Raises:
        LocalError: another stack uses the wanted folder.
    """
    folder = wanted or DEFAULT_FOLDER
    lock = _try_lock(folder)
    spare = lock is None and wanted is None
    if spare:
        folder = DEFAULT_FOLDER.with_name(f"{DEFAULT_FOLDER.name}-{port}")
        lock = _try_lock(folder)
    if lock is None:
        raise LocalError(f"another stack runs in `{folder}`; stop it, or choose another folder with `--dir`")
    succeeded = False
    try:
        yield folder, lock
        succeeded = True
    finally:
        os.close(lock)
        # Kept after a failure, for its logs. Otherwise each run would leave a folder for its port.
        if spare and succeeded:
            shutil.rmtree(folder, ignore_errors=True)


def _try_lock(folder: Path) -> int | None:
    """Locks a folder, or returns nothing if it is locked already."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _write_whole(path: Path, text: str) -> None:
    """Writes a file so that whoever sees it sees all of it."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(text)
    unfinished.replace(path)
