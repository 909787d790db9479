"""Ctrl-C and its relatives as one exception, raised once, so that whatever was started is taken down in order."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_caught: int | None = None


class Interrupted(BaseException):
    """The tool was asked to stop. No `Exception`, because libraries catch those, and some of them try again."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that a signal ended."""
        return 128 + self.number


def raise_on_signals() -> None:
    """From now on the first signal raises `Interrupted`, and later ones do nothing: they would break the taking down.

    This also holds where the tool was started with SIGINT ignored, as a shell's background jobs are.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        global _caught
        _caught = number
        ignore_signals()
        raise Interrupted(number)

    for number in _SIGNALS:
        signal.signal(number, stop)


def check_interrupted() -> None:
    """Raises `Interrupted` again if a signal has come: the first exception is lost where Python can't raise, as in a
    finalizer."""
    if _caught is not None:
        raise Interrupted(_caught)


def ignore_signals() -> None:
    """From now on signals do nothing. What follows must end by itself."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
