"""Which steps run side by side: as many as the processors allow, in the order of the list."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from .run import Run

# Steps are weighed for two processors. More would run more at once, but the local stacks' tests are only known to be steady in pairs.
PROCESSORS = 2


@dataclass(frozen=True)
class Step:
    """A named check.

    `processors` says how many it keeps busy: 2 runs alone, 1 beside another that mostly waits, 0 beside anything.
    `needs` are steps that always run first, also when this one is asked for alone. `after` are steps whose results it
    reads: they run first where they were asked for too. `has_tests` says that a filter can choose among its tests.
    """

    name: str
    proves: str
    act: Callable[[Run], None]
    processors: int = 1
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    has_tests: bool = False


def run_steps(
    steps: Sequence[Step],
    act: Callable[[Step], bool],
    skip: Callable[[Step, str], None],
    *,
    tick: Callable[[list[str]], None] = lambda running: None,
    tick_seconds: float = 60,
) -> None:
    """Runs steps in threads. `act` runs one and returns whether it passed; a step that needs one that failed is skipped.

    `tick` is called with the names of what runs whenever nothing has ended for a while.
    """
    waiting = list(steps)
    running: dict[str, Step] = {}
    passed: dict[str, bool] = {}
    chosen = {step.name for step in steps}
    ended: queue.SimpleQueue[tuple[Step, bool]] = queue.SimpleQueue()

    def start(step: Step) -> None:
        running[step.name] = step
        threading.Thread(target=lambda: ended.put((step, act(step))), name=step.name, daemon=True).start()

    while waiting or running:
        is_full = False
        for step in list(waiting):
            before = [name for name in (*step.needs, *step.after) if name in chosen]
            failed = next((name for name in before if passed.get(name) is False), None)
            if failed is not None:
                waiting.remove(step)
                passed[step.name] = False
                skip(step, failed)
            elif all(name in passed for name in before):
                if step.processors and (is_full or not _fits(step, running.values())):
                    # Later steps don't overtake it: a busy step would wait for a pause that never comes.
                    is_full = True
                    continue
                waiting.remove(step)
                start(step)
        if not running:
            continue
        try:
            step, is_passed = ended.get(timeout=tick_seconds)
        except queue.Empty:
            tick(list(running))
            continue
        del running[step.name]
        passed[step.name] = is_passed


def _fits(step: Step, running: Iterable[Step]) -> bool:
    return step.processors + sum(it.processors for it in running) <= PROCESSORS
