"""How many tests a runner's output reports: cargo's, node's and Python's."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CARGO = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
# Node writes `ℹ pass 3` to a terminal and `# pass 3` elsewhere. Other lines of tests may begin so, but have no number alone.
_NODE = re.compile(r"[#ℹ] (pass|fail|skipped|todo) (\d+)$")
_PYTHON = re.compile(r"Ran (\d+) tests? in ")
_PYTHON_SKIPPED = re.compile(r"(?:OK|FAILED) \(.*skipped=(\d+)")


@dataclass
class Counts:
    """Tests of one step. Python's runner reports failures apart, so there `ran` includes them."""

    ran: int = 0
    left_out: int = 0

    def read(self, line: str) -> None:
        """Adds what a line of output reports. Most lines report nothing."""
        if found := _CARGO.search(line):
            passed, failed, ignored = map(int, found.groups())
            self.ran += passed + failed
            self.left_out += ignored
        elif found := _NODE.match(line):
            if found[1] in ("pass", "fail"):
                self.ran += int(found[2])
            else:
                self.left_out += int(found[2])
        elif found := _PYTHON.match(line):
            self.ran += int(found[1])
        elif found := _PYTHON_SKIPPED.match(line):
            self.ran -= int(found[1])
            self.left_out += int(found[1])

    def __str__(self) -> str:
        if not self.ran and not self.left_out:
            return ""
        tests = f"{self.ran} test" + ("" if self.ran == 1 else "s")
        return tests + (f", {self.left_out} left out" if self.left_out else "")
