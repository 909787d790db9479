"""Starts and stops MiniStack, the emulator."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from .errors import LocalError

HOST = "127.0.0.1"

_GUARD = Path(__file__).with_name("guard.py")

_START_SECONDS = 60
# Open sockets hold it up for 3 s, and there is nothing to wait for: its state is thrown away.
_STOP_SECONDS = 1
_GUARD_SECONDS = _STOP_SECONDS + 10

# Only these: MiniStack loads a service when it is first asked for it, and some open ports of their own.
_SERVICES = "apigateway,dynamodb,iam,lambda,logs,monitoring,sqs,ssm,states,sts"

# What the emulator and, through it, the functions see of the operator's environment: no AWS credentials or profiles.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def check_port(port: int, option: str = "--port") -> None:
    """Stops if a port is taken, which another could be given for by an option.

    Raises:
        LocalError: it is.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise LocalError(f"port {port} is taken; stop what listens there, or choose another by `{option}`") from error


class MiniStack:
    """One emulator, its files in a folder, and its log in that folder's `ministack.log`.

    Only if it enforces policies does it hold a function to its role and check signatures; otherwise everyone may do
    everything. If it restarts, it comes back whenever it was asked to stop (SIGTERM to the process in the folder's
    `ministack.pid`), with all that it had stored and without a socket.
    """

    def __init__(self, port: int, folder: Path, lock: int, *, enforce_policies: bool, restarts: bool) -> None:
        self.endpoint = f"http://{HOST}:{port}"
        self.log = folder / "ministack.log"
        self._port = port
        self._data = folder / "data"
        self._lock = lock
        self._restarts = restarts
        self._pid_file = folder / "ministack.pid"
        self._enforce_policies = enforce_policies
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the emulator and waits until it is healthy.

        Raises:
            LocalError: it ends, or isn't healthy within a minute.
        """
        self._forget_data()
        for name in ("tmp", "state", "s3"):
            (self._data / name).mkdir(parents=True)
        with self.log.open("wb") as log:
            self._guard = subprocess.Popen(
                [sys.executable, "-I", str(_GUARD), *self._guard_options(), "--", sys.executable, "-m", "ministack"],
                # Python looks for modules in its working folder first, and there mustn't be any.
                cwd=self._data,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
                # The guard holds the folder's lock until all is gone, even if the tool is killed.
                pass_fds=(self._lock,),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_healthy():
            self.check_running()
            if time.monotonic() > deadline:
                raise LocalError(f"MiniStack isn't healthy after {_START_SECONDS} s")
            time.sleep(0.05)

    def check_running(self) -> None:
        """Stops if the emulator has ended by itself.

        Raises:
            LocalError: it has.
        """
        if not self.is_running():
            raise LocalError("MiniStack has ended by itself")

    def is_running(self) -> bool:
        """Whether the emulator was started and hasn't ended."""
        return self._guard is not None and self._guard.poll() is None

    def stop(self) -> None:
        """Stops the emulator and all that it has started, and deletes its data. Does nothing if it doesn't run."""
        guard, self._guard = self._guard, None
        if guard is None:
            return
        if guard.stdin is not None:
            guard.stdin.close()
        try:
            guard.wait(_GUARD_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(guard.pid, signal.SIGKILL)
            guard.wait()
        self._forget_data()

    def _guard_options(self) -> list[str]:
        restarts = ["--restarts", str(self._pid_file)] if self._restarts else []
        return ["--grace", str(_STOP_SECONDS), *restarts]

    def _environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        return {
            **inherited,
            "HOME": str(self._data),
            "TMPDIR": str(self._data / "tmp"),
            "STATE_DIR": str(self._data / "state"),
            "S3_DATA_DIR": str(self._data / "s3"),
            "GATEWAY_PORT": str(self._port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "SERVICES": _SERVICES,
            "LAMBDA_EXECUTOR": "local",
            "AUTH": "true" if self._enforce_policies else "false",
            "PERSIST_STATE": "1" if self._restarts else "0",
            # These two open ports of their own, which a second stack couldn't open again.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
        }

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=1)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _forget_data(self) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        self._pid_file.unlink(missing_ok=True)
