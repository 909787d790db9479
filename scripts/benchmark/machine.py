"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

from .figures import KIB, MIB

_ANSWER_SECONDS = 20


def describe_machine() -> dict[str, Any]:
    """The machine and the versions of what ran on it."""
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (MIB * KIB), 1),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "rustc": _version("rustc"),
        "node": _version("node"),
        "python": platform.python_version(),
    }


def load_averages() -> list[float]:
    """How many processes wanted to run, over the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return _answer(["sysctl", "-n", "machdep.cpu.brand_string"]) or platform.processor() or "unknown"


def _version(program: str) -> str:
    return _answer([program, "--version"]) or "not installed"


def _answer(command: list[str]) -> str | None:
    """The first line that a program answers with, where it is there and answers."""
    if shutil.which(command[0]) is None:
        return None
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ANSWER_SECONDS)
    lines = answer.stdout.strip().splitlines()
    return lines[0] if answer.returncode == 0 and lines else None
