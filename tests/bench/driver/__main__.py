"""The command line: builds, runs the sections, and writes the report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

from . import broadcast, cold_start, posting, signing
from .bench import OUTPUT, ROOT, TARGET, Bench, BenchError, say
from .markdown import Part, table

SECTIONS: dict[str, ModuleType] = {
    "posting": posting,
    "signing": signing,
    "broadcast": broadcast,
    "cold_start": cold_start,
}


def main() -> int:
    """Returns 0, or 1 where a section could not be measured."""
    arguments = _parser().parse_args()
    if not arguments.binaries:
        _build(arguments.only)
    bench = Bench(arguments.quick, (arguments.binaries or TARGET / "release").resolve())
    report: dict[str, Any] = {"about": _about(arguments.quick), "sections": {}, "failures": {}, "seconds": {}}
    for name in arguments.only:
        began = time.monotonic()
        try:
            report["sections"][name] = SECTIONS[name].measure(bench)
        except BenchError as error:
            report["failures"][name] = str(error)
            say(f"error: {name}: {error}")
        report["seconds"][name] = time.monotonic() - began
    report["about"]["load after"] = _load()
    _write(report)
    if arguments.docs:
        _update_docs(report)
    return 1 if report["failures"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and smaller rooms")
    parser.add_argument(
        "--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION", help=", ".join(SECTIONS)
    )
    parser.add_argument("--docs", action="store_true", help="put the tables and plots into docs/performance.md")
    parser.add_argument(
        "--binaries", type=Path, metavar="FOLDER", help="measure these programs and build none (target/release)"
    )
    return parser


def _build(sections: list[str]) -> None:
    """Builds the release profile, which is what is deployed, of no more than the sections need."""
    packages = dict.fromkeys(package for name in sections for package in SECTIONS[name].PACKAGES)
    options = [f"--package={package}" for package in packages]
    subprocess.run(["cargo", "build", "--release", "--locked", "--bins", *options], cwd=ROOT, check=True)


def _write(report: dict[str, Any]) -> None:
    # Only now, because matplotlib is large and takes time to load.
    from .plots import draw

    OUTPUT.mkdir(parents=True, exist_ok=True)
    for old in OUTPUT.glob("*.svg"):
        old.unlink()
    (OUTPUT / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    text = render(report)
    (OUTPUT / "report.md").write_text(text)
    draw(report["sections"], OUTPUT)
    print(text)
    say(f"the report, the plots and all figures as JSON are in {OUTPUT}")


def render(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    parts = [
        "# Hubbub's benchmark",
        table(list(report["about"].items()), {"what": lambda row: row[0], "value": lambda row: row[1]}),
    ]
    parts += [part.markdown() for part in _parts(report)]
    for name, error in report["failures"].items():
        parts += [f"## {SECTIONS[name].TITLE}", f"It could not be measured: {error}"]
    took = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in report["seconds"].items())
    return "\n\n".join([*parts, f"It took: {took}."]) + "\n"


def _parts(report: dict[str, Any]) -> list[Part]:
    return [part for name, data in report["sections"].items() for part in SECTIONS[name].describe(data)]


def _update_docs(report: dict[str, Any]) -> None:
    page = ROOT / "docs" / "performance.md"
    text = page.read_text()
    for part in _parts(report):
        text = part.put_into(text)
    page.write_text(text)
    for plot in OUTPUT.glob("*.svg"):
        shutil.copy(plot, ROOT / "docs" / "performance")
    say("docs/performance.md has the new tables; its sentences and README.md repeat some figures")


def _about(quick: bool) -> dict[str, str]:
    """What the figures were taken on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "unknown")
    return {
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds") + (", with --quick" if quick else ""),
        "host": f"{os.cpu_count()} cores of {cpu}, {memory:.1f} GiB, {platform.system()} {platform.release()}",
        "rustc": _version("rustc"),
        "node": _version("node"),
        "python": platform.python_version(),
        "load before": _load(),
    }


def _version(program: str) -> str:
    try:
        return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "not installed"


def _load() -> str:
    return ", ".join(f"{load:.1f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
