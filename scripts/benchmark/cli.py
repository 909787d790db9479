"""The command line: runs the sections, and writes and prints the report."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from types import FrameType
from typing import Any

from .bench import Bench
from .errors import BenchError
from .machine import describe_machine, load_averages
from .places import OUTPUT, ROOT, TARGET, Binaries
from .report import render
from .sections import SECTIONS, with_needs

_PLOTS_SECONDS = 120


def main(arguments: list[str]) -> int:
    """Runs the tool and returns its exit code: 0, 1 where a part has failed, 128 + a signal's number, 2 after a wrong
    call."""
    parsed = _parser().parse_args(arguments)
    bench = Bench(quick=parsed.quick, binaries=Binaries(parsed.binaries.resolve()))
    signal.signal(signal.SIGTERM, _stop)
    try:
        report = _measure(bench, with_needs(parsed.only))
        text = _write(bench, report)
    except KeyboardInterrupt:
        bench.console.note("stopped; no report was written")
        return 128 + signal.SIGINT
    print(text)
    if parsed.json:
        print(json.dumps(report, separators=(",", ":")))
    return 1 if bench.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measures what Hubbub costs, beside what else could be used."
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller rooms")
    parser.add_argument("--json", action="store_true", help="end with the whole report as one line of JSON")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=list(SECTIONS),
        default=list(SECTIONS),
        metavar="SECTION",
        help=f"run only these sections and what they need; there are {', '.join(SECTIONS)}",
    )
    parser.add_argument(
        "--binaries",
        type=Path,
        default=TARGET / "release",
        metavar="FOLDER",
        help="measure the binaries in this folder (%(default)s)",
    )
    return parser


def _stop(_number: int, _frame: FrameType | None) -> None:
    """A `kill` stops the tool as Ctrl-C does, so that whatever it has started is taken down."""
    raise KeyboardInterrupt


def _measure(bench: Bench, names: list[str]) -> dict[str, Any]:
    """Runs the sections; the report of what they have measured."""
    report: dict[str, Any] = {
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quick": bench.quick,
        "binaries": _within_root(bench.binaries.folder),
        "machine": describe_machine(),
        "load_before": load_averages(),
        "sections": {},
        "plots": [],
    }
    for name in names:
        bench.section = name
        bench.console.note(f"{name} ({names.index(name) + 1} of {len(names)})")
        began = time.monotonic()
        try:
            bench.measured[name] = SECTIONS[name].measure(bench)
        except BenchError as error:
            # What the whole section stands on isn't there.
            bench.fail("all of it", str(error))
            continue
        finally:
            seconds = time.monotonic() - began
            bench.console.note(f"{name} took {seconds:.1f} s")
        report["sections"][name] = {"seconds": seconds, "data": bench.measured[name]}
    report["load_after"] = load_averages()
    return report


def _write(bench: Bench, report: dict[str, Any]) -> str:
    """Writes report.json, the plots and report.md; the text of the latter."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    bench.section = "report"
    written = OUTPUT / "report.json"
    written.write_text(json.dumps(report, indent=2) + "\n")
    with bench.part("the plots"):
        report["plots"] = _draw(written)
    report["failures"] = [asdict(failure) for failure in bench.failures]
    written.write_text(json.dumps(report, indent=2) + "\n")
    text = render(report)
    (OUTPUT / "report.md").write_text(text)
    bench.console.note(f"the report is {_within_root(OUTPUT)}/report.md, and all figures are in report.json beside it")
    return text


def _draw(report: Path) -> list[str]:
    command = [sys.executable, "-m", "benchmark.plots", str(report), str(OUTPUT)]
    try:
        drawn = subprocess.run(
            command, cwd=ROOT / "scripts", capture_output=True, text=True, check=False, timeout=_PLOTS_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"drawing has not ended within {_PLOTS_SECONDS} s") from None
    if drawn.returncode != 0:
        said = (drawn.stderr.strip().splitlines() or ["nothing"])[-1]
        raise BenchError(f"drawing has failed with status {drawn.returncode}; it said: {said}")
    return drawn.stdout.split()


def _within_root(path: Path) -> str:
    """A path as it is seen from the repository, where it is inside."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
