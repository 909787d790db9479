"""What the rivals run on: Node with the AWS SDK, Python with boto3, and wrk. What this machine can't have is left out
of the comparison, with the reason in the report."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import BenchError
from .places import OUTPUT, RIVALS

_WRK_PACKAGES = ("wrk", "libluajit-5.1-2")
_INSTALL_SECONDS = 300


class LeftOut(Exception):
    """A tool isn't there and can't be had. Its text is a sentence without a final period."""


@dataclass(frozen=True)
class Wrk:
    """wrk's binary, and the environment that it needs."""

    binary: Path
    environment: dict[str, str]


def python() -> Path:
    """The Python that has boto3: the one that runs this tool, as `scripts/bench` calls it."""
    return Path(sys.executable)


def node() -> Path:
    """Node.

    Raises:
        LeftOut: it isn't installed.
    """
    found = shutil.which("node")
    if found is None:
        raise LeftOut("`node` is not installed")
    return Path(found)


def install_sdk_for_javascript() -> None:
    """Installs what `rivals/package-lock.json` has, unless that very file was installed before.

    Raises:
        LeftOut: Node or npm isn't installed.
        BenchError: npm fails.
    """
    node()
    npm = shutil.which("npm")
    if npm is None:
        raise LeftOut("`npm` is not installed")
    lock, installed = RIVALS / "package-lock.json", RIVALS / "node_modules" / ".installed-lock.json"
    if installed.is_file() and installed.read_bytes() == lock.read_bytes():
        return
    _call([npm, "ci", "--silent", "--no-audit", "--no-fund"], RIVALS)
    # Copied last: an installation that was broken off is done again.
    shutil.copyfile(lock, installed)


def wrk() -> Wrk:
    """The wrk on PATH; otherwise, where there is apt, Debian's package, unpacked into the output folder.

    Raises:
        LeftOut: neither is there.
    """
    found = shutil.which("wrk")
    if found:
        return Wrk(Path(found), {})
    unpacked = OUTPUT / "tools" / "wrk"
    if not unpacked.is_dir():
        _unpack_wrk(unpacked)
    libraries = sorted({str(library.parent) for library in unpacked.rglob("libluajit*.so*")})
    inherited = [path for path in [os.environ.get("LD_LIBRARY_PATH")] if path]
    return Wrk(unpacked / "usr" / "bin" / "wrk", {"LD_LIBRARY_PATH": os.pathsep.join([*libraries, *inherited])})


def _unpack_wrk(unpacked: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise LeftOut("`wrk` is not installed, and there is no apt to get it with")
    unfinished = unpacked.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        _call(["apt-get", "download", *_WRK_PACKAGES], unfinished)
        for package in sorted(unfinished.glob("*.deb")):
            _call(["dpkg", "-x", package, unfinished], unfinished)
    except BenchError as error:
        raise LeftOut(f"`wrk` is not installed, and apt could not get it: {error}") from error
    unfinished.rename(unpacked)


def _call(command: Sequence[str | Path], folder: Path) -> None:
    called = subprocess.run(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=_INSTALL_SECONDS,
    )
    if called.returncode != 0:
        said = called.stdout.strip().splitlines()[-1:] or ["nothing"]
        raise BenchError(
            f"`{Path(command[0]).name} {command[1]}` has failed with status {called.returncode}: {said[0]}"
        )
