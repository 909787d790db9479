"""Turns Ctrl-C and similar signals into one exception, raised once, so that everything is taken down in order."""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_caught: int | None = None


class Interrupted(BaseException):
    """The tool was asked to stop. Not an `Exception`, because libraries catch those, and some then retry."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """The status that a shell reports for a process ended by this signal."""
        return 128 + self.number


def raise_on_signals() -> None:
    """From now on the first signal raises `Interrupted`. Later ones do nothing, so that they can't interrupt the cleanup.

    This also works where the tool was started with SIGINT ignored, as a shell's background jobs are.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        global _caught
        _caught = number
        ignore_signals()
        raise Interrupted(number)

    for number in _SIGNALS:
        signal.signal(number, stop)


def check_interrupted() -> None:
    """Raises `Interrupted` again if a signal has come. Python loses the first exception in a finalizer."""
    if _caught is not None:
        raise Interrupted(_caught)


def ignore_signals() -> None:
    """From now on signals do nothing. The code after this must end by itself."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
