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
# It would wait 3 s for open sockets, to save a state that isn't needed any more.
_STOP_SECONDS = 1
_GUARD_SECONDS = _STOP_SECONDS + 10

# Only these, because some other services open ports of their own.
_SERVICES = "apigateway,dynamodb,iam,lambda,logs,monitoring,sqs,ssm,states,sts"

# The part of the operator's environment that the emulator and its functions see: no AWS credentials, no profiles.
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")


def free_port() -> int:
    """A port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


def check_port(port: int, option: str = "--port") -> None:
    """Checks that a port is free.

    Raises:
        LocalError: the port is taken. The text names the option that chooses another.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise LocalError(f"port {port} is taken; stop what listens there, or choose another by `{option}`") from error


class MiniStack:
    """One emulator, its files in a folder, and its log in that folder's `ministack.log`.

    With `enforce_policies` it checks signatures and each role's policies; otherwise everything is allowed. With `restarts`
    it starts again after a SIGTERM to the process in the folder's `ministack.pid`, with its stored data and without any
    sockets.
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
                # Python imports modules from its working folder first, so that has none.
                cwd=self._data,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment(),
                start_new_session=True,
                # The guard holds the folder's lock until every process has ended, even if the tool is killed.
                pass_fds=(self._lock,),
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_healthy():
            self.check_running()
            if time.monotonic() > deadline:
                raise LocalError(f"MiniStack isn't healthy after {_START_SECONDS} s")
            time.sleep(0.05)

    def check_running(self) -> None:
        """Checks that the emulator runs.

        Raises:
            LocalError: it has ended by itself.
        """
        if not self.is_running():
            raise LocalError("MiniStack has ended by itself")

    def is_running(self) -> bool:
        """Whether the emulator runs."""
        return self._guard is not None and self._guard.poll() is None

    def stop(self) -> None:
        """Stops the emulator with all its processes and deletes its data. Does nothing if it doesn't run."""
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
            # These would open fixed ports, which a second stack couldn't open.
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
