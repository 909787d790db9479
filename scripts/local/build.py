"""Builds the functions and packs them into a zip, as Lambda takes it; and renders the Pulumi program."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from .errors import LocalError

ROOT = Path(__file__).resolve().parent.parent.parent
PULUMI = ROOT / "pulumi"
ZIPS = ROOT / "target" / "lambda"
# What the Pulumi program takes on the local stack. What `scripts/package` makes is beside it, by architecture.
LOCAL_ZIPS = ZIPS / "local"

# The lists that the Pulumi program makes for other languages.
STACK: dict[str, Any] = json.loads((PULUMI / "stack.json").read_text())
# The binary of all functions, and its zip.
BINARY, ZIP = STACK["binary"], STACK["zip"]
PROGRAM = "hubbub-infra"

# With these, a build of some binaries compiles what a build of everything would, and no more (docs/adr/0010).
_UNIFIED = ("--workspace", "--example=unify")

_ENTRY = "bootstrap"
_EXECUTABLE = 0o100755
# The earliest time that a zip can hold: the zip of a binary is always the same.
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
# Binaries of the dev profile are large. The fastest level takes less time than carrying the rest to the emulator would.
_COMPRESSION_LEVEL = 1

_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def host_architecture() -> str:
    """This machine's architecture by Lambda's name.

    Raises:
        LocalError: Lambda has none for it.
    """
    machine = platform.machine().lower()
    if machine not in _ARCHITECTURES:
        raise LocalError(f"the local stack runs functions on x86_64 and arm64, but this machine is `{machine}`")
    return _ARCHITECTURES[machine]


def stack_config(stack: str) -> dict[str, str]:
    """What a stack's file says, by `project:key`, as Pulumi would hand it over."""
    file = PULUMI / f"Pulumi.{stack}.yaml"
    return {key: str(value) for key, value in yaml.safe_load(file.read_text())["config"].items()}


def build_binaries(quiet: bool, others: Sequence[str] = ()) -> dict[str, Path]:
    """Builds the functions, the renderer of the Pulumi program and other binaries; returns their paths by name.

    Cargo's progress goes to stderr.

    Raises:
        LocalError: cargo fails, or a binary is missing.
    """
    wanted = (BINARY, PROGRAM, *others)
    binaries: dict[str, Path] = {}
    for message in _cargo_build([*_UNIFIED, *(f"--bin={name}" for name in wanted)], quiet):
        if message.get("executable") and "bin" in message["target"]["kind"]:
            binaries[message["target"]["name"]] = Path(message["executable"])
    missing = [name for name in wanted if name not in binaries]
    if missing:
        raise LocalError(f"cargo built no binary `{missing[0]}`")
    return binaries


def _cargo_build(arguments: list[str], quiet: bool) -> list[dict[str, Any]]:
    command = ["cargo", "build", "--locked", "--message-format=json-render-diagnostics", *arguments]
    if quiet:
        command.append("--quiet")
    try:
        cargo = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    except FileNotFoundError as error:
        raise LocalError("cargo isn't installed; see https://rustup.rs") from error
    if cargo.returncode != 0:
        raise LocalError(f"cargo has failed with status {cargo.returncode}")
    return [json.loads(line) for line in cargo.stdout.splitlines() if line.startswith(b"{")]


def pack_functions(binaries: Mapping[str, Path]) -> bool:
    """Packs the functions' binary if it has changed; returns whether it had."""
    LOCAL_ZIPS.mkdir(parents=True, exist_ok=True)
    return pack(binaries[BINARY], LOCAL_ZIPS / ZIP)


def take_packaged(folder: Path, local: Path = LOCAL_ZIPS) -> None:
    """Takes the zip that is deployed from a folder in the place of the local stack's own.

    Raises:
        LocalError: it isn't there.
    """
    local.mkdir(parents=True, exist_ok=True)
    zipped, unfinished = folder / ZIP, local / f"{ZIP}.{os.getpid()}"
    try:
        shutil.copyfile(zipped, unfinished)
    except FileNotFoundError as error:
        raise LocalError(f"`{zipped}` isn't there; run `scripts/package --architecture {folder.name}` first") from error
    unfinished.replace(local / ZIP)


def pack(binary: Path, zipped: Path) -> bool:
    """Makes a zip of a binary, unless the zip is of this very binary already; returns whether it did.

    The zip carries the binary's own modification time and nothing is written beside it, so a zip that something else
    has made is told apart too.
    """
    source = binary.stat()
    if _is_packed(source, zipped):
        return False
    entry = zipfile.ZipInfo(_ENTRY, _FIXED_TIME)
    entry.create_system = 3  # Unix: the mode counts
    entry.external_attr = _EXECUTABLE << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    # Written beside and renamed, because another stack may be reading the old one.
    unfinished = zipped.with_suffix(f".{os.getpid()}")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            archive.writestr(entry, binary.read_bytes(), compresslevel=_COMPRESSION_LEVEL)
        os.utime(unfinished, ns=(source.st_mtime_ns, source.st_mtime_ns))
        unfinished.replace(zipped)
    finally:
        unfinished.unlink(missing_ok=True)
    return True


def _is_packed(source: os.stat_result, zipped: Path) -> bool:
    try:
        if zipped.stat().st_mtime_ns != source.st_mtime_ns:
            return False
        with zipfile.ZipFile(zipped) as archive:
            return archive.getinfo(_ENTRY).file_size == source.st_size
    except (FileNotFoundError, KeyError, zipfile.BadZipFile):
        return False


def render_program(renderer: Path, stack: str, config: Mapping[str, str]) -> str:
    """The Pulumi program for a stack, as Pulumi itself would have it rendered: from this folder, with these variables.

    Raises:
        LocalError: the program refuses the configuration; it has said why on stderr.
    """
    environment = {
        **os.environ,
        "PULUMI_STACK": stack,
        "PULUMI_PROJECT": "hubbub",
        "PULUMI_CONFIG": json.dumps(dict(config)),
        "PULUMI_ROOT_DIRECTORY": str(PULUMI),
    }
    program = subprocess.run(
        [renderer],
        cwd=PULUMI,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if program.returncode != 0:
        raise LocalError(f"rendering the program has failed with status {program.returncode}")
    return program.stdout
