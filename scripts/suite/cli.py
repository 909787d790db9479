"""The command line: which steps to run, their progress, and the summary."""

from __future__ import annotations

import argparse
import difflib
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from types import FrameType

from .run import Run, StepFailed
from .schedule import Step, run_steps
from .steps import STEPS

_TAIL_LINES = 60
_WIDTH = max(len(step.name) for step in STEPS)
_BY_NAME = {step.name: step for step in STEPS}


class Stopped(BaseException):
    """Somebody wants the tool to end."""


def main(arguments: list[str]) -> int:
    """Runs the tool and returns its exit code: 0 if all passed, 1 if not, 2 after a wrong call, 130 after Ctrl-C."""
    parsed = _parse(arguments)
    if parsed.list:
        for step in STEPS:
            print(f"{step.name:{_WIDTH}}  {step.proves}" + (" [FILTER]" if step.has_tests else ""))
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    steps = [_BY_NAME[name] for name in _with_needs(parsed.name)] if parsed.name else list(STEPS)
    results = Results(steps, only=parsed.name, filter=parsed.filter)
    try:
        for number in range(1, parsed.repeat + 1):
            if parsed.repeat > 1:
                _say(f"== run {number} of {parsed.repeat}")
            results.run()
    except Stopped:
        results.stop()
        _say("stopped")
        return 130
    results.summarise()
    return 1 if results.failures else 0


class Results:
    """Runs steps, says how each ended, and keeps that for the summary."""

    def __init__(self, steps: Sequence[Step], *, only: str | None = None, filter: str | None = None) -> None:
        self.failures: list[str] = []
        self._steps = steps
        self._only = only
        self._filter = filter
        self._lines: list[str] = []
        self._notes: list[str] = []
        self._tests = self._left_out = 0
        self._running: dict[str, Run] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Runs the steps once."""
        run_steps(self._steps, self._act, self._skip, tick=self._tick)

    def stop(self) -> None:
        """Ends what runs."""
        stopping = [threading.Thread(target=run.stop) for run in self._running.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()

    def summarise(self) -> None:
        """Prints a line for each step, what was left out, and how it ended."""
        if len(self._lines) > 1:
            _say("\n" + "\n".join(self._lines))
        for note in dict.fromkeys(self._notes):
            _say(f"left out: {note}")
        tests = f"{self._tests:,} tests ran" + (f", {self._left_out:,} were left out" if self._left_out else "")
        failed = (name if times == 1 else f"{name} ({times} times)" for name, times in Counter(self.failures).items())
        result = f"FAILED: {', '.join(failed)}" if self.failures else "passed"
        _say(f"\n{result}, in {_duration(time.monotonic() - self._began)}; {tests}")

    def _act(self, step: Step) -> bool:
        is_asked_for = step.name == self._only
        run = Run(step.name, filter=self._filter if is_asked_for else None, stream=is_asked_for)
        self._running[step.name] = run
        _say(f"== {step.name}: {step.proves} ...")
        problem = None
        try:
            step.act(run)
            if run.filter and not run.counts.ran:
                problem = f"no test has `{run.filter}` in its name"
        except StepFailed as failure:
            problem = str(failure)
        except Exception as error:  # noqa: BLE001 - a defect of a step fails the step and not the tool
            problem = f"{type(error).__name__}: {error}"
        with self._lock:
            del self._running[step.name]
            if problem and not is_asked_for:
                _say(f"---- the end of {run.log}:\n{run.tail(_TAIL_LINES)}----")
            run.close()
            self._note(step, "FAILED" if problem else "ok", run, problem)
        return problem is None

    def _note(self, step: Step, result: str, run: Run, problem: str | None) -> None:
        line = f"{step.name:{_WIDTH}}  {result:6}  {_duration(run.seconds):>12}  {run.counts}".rstrip()
        _say(f"== {line}" + (f"\n== {step.name} failed: {problem}" if problem else ""))
        self._lines.append(line)
        self._notes += run.notes
        self._tests += run.counts.ran
        self._left_out += run.counts.left_out
        if problem:
            self.failures.append(step.name)

    def _skip(self, step: Step, needed: str) -> None:
        line = f"{step.name:{_WIDTH}}  {'FAILED':6}  it needs `{needed}`"
        _say(f"== {line}")
        self._lines.append(line)
        self.failures.append(step.name)

    def _tick(self, running: list[str]) -> None:
        times = (f"{name} ({_duration(self._running[name].seconds)})" for name in running if name in self._running)
        _say(f"== still running: {', '.join(times)}")


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/test",
        description="Runs every step, or one, or one test. The output of each step is kept in target/test.",
        epilog="examples: scripts/test; scripts/test units banned_user; scripts/test --repeat 10 e2e recovers",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="run this step and those that it needs (see --list)")
    parser.add_argument("filter", metavar="FILTER", nargs="?", help="run only tests with this in their names")
    parser.add_argument("--list", action="store_true", help="list the steps, and say which take a FILTER")
    parser.add_argument("--repeat", type=_count, default=1, metavar="N", help="run it N times, and say how often it failed")
    parsed = parser.parse_args(arguments)
    if parsed.name and parsed.name not in _BY_NAME:
        near = difflib.get_close_matches(parsed.name, _BY_NAME, 1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        parser.error(f"there is no step `{parsed.name}`; {hint}the steps are {', '.join(_BY_NAME)}")
    if parsed.filter and not _BY_NAME[parsed.name].has_tests:
        able = ", ".join(step.name for step in STEPS if step.has_tests)
        parser.error(f"`{parsed.name}` has no tests to choose from; these have: {able}")
    return parsed


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from 1")
    return int(text)


def _with_needs(name: str) -> list[str]:
    step = _BY_NAME[name]
    return [*(needed for it in step.needs for needed in _with_needs(it)), name]


def _stop(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Stopped


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


