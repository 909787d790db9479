"""The report: all that was measured as JSON, and the same in words and tables as Markdown."""

from __future__ import annotations

from typing import Any

from .blocks import Block, Paragraph, Plot, Table, number
from .sections import SECTIONS


def render(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    blocks = [*_head(report)]
    for name, section in report["sections"].items():
        blocks.append(Paragraph(f"## {SECTIONS[name].TITLE}"))
        blocks += SECTIONS[name].describe(section["data"])
    blocks += [*_failures(report["failures"]), *_durations(report["sections"])]
    drawn = set(report["plots"])
    return (
        "\n\n".join(block.markdown() for block in blocks if not isinstance(block, Plot) or block.file in drawn) + "\n"
    )


def _head(report: dict[str, Any]) -> list[Block]:
    machine = report["machine"]
    before, after = (", ".join(f"{load:.2f}" for load in report[when]) for when in ("load_before", "load_after"))
    rows = [
        ("taken", f"{report['taken']}{', with --quick' if report['quick'] else ''}"),
        ("binaries", report["binaries"]),
        ("processor", f"{machine['cpu']}, {machine['cores']} cores"),
        ("memory", f"{machine['memory_gib']} GiB"),
        ("system", machine["system"]),
        ("load averages before", before),
        ("load averages after", after),
        ("rustc", machine["rustc"]),
        ("node", machine["node"]),
        ("python", machine["python"]),
    ]
    return [
        Paragraph("# Hubbub's benchmark"),
        Paragraph(
            "Figures are this machine's, under the load that it had; ratios are within this run. Times, processor time "
            "and memory of a process are taken from outside by the system's own account of it."
        ),
        Table(("<what", "<it was"), rows),
    ]


def _failures(failures: list[dict[str, str]]) -> list[Block]:
    if not failures:
        return []
    listed = "\n".join(
        f"- {failure['section']}: {failure['part']}: {_indented(failure['error'])}" for failure in failures
    )
    return [Paragraph("## What failed"), Paragraph(listed)]


def _indented(error: str) -> str:
    """An error of several lines, so that it stays within its item of a list."""
    return error.replace("\n", "\n  ")


def _durations(sections: dict[str, Any]) -> list[Block]:
    rows = [(SECTIONS[name].TITLE, number(section["seconds"], 1)) for name, section in sections.items()]
    total = sum(section["seconds"] for section in sections.values())
    return [
        Paragraph("## How long it took"),
        Table(("<section", "seconds"), [*rows, ("all", number(total, 1))]),
    ]
