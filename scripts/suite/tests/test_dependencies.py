"""The rules of deny.toml that can be checked without cargo-deny: who uses the AWS SDK, and where crates come from."""

from __future__ import annotations

import re
import unittest

from ..run import ROOT

_BAN = re.compile(r'\{ crate = "(aws-sdk-[a-z]+)", wrappers = \[([^\]]*)\] \}')
_USE = re.compile(r"^(aws-sdk-[a-z]+)\b", re.MULTILINE)
_NAME = re.compile(r'^name = "([^"]+)"', re.MULTILINE)
_SOURCE = re.compile(r'^source = "([^"]+)"', re.MULTILINE)
_CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"
_SKIPPED = {"target", "node_modules", ".venv", ".git"}


def users_of_sdk() -> dict[str, set[str]]:
    """The packages that name each SDK crate in their manifests."""
    users: dict[str, set[str]] = {}
    for manifest in ROOT.glob("*/**/Cargo.toml"):
        if _SKIPPED.isdisjoint(manifest.relative_to(ROOT).parts):
            text = manifest.read_text()
            name = _NAME.search(text)
            assert name, manifest
            for crate in _USE.findall(text):
                users.setdefault(crate, set()).add(name[1])
    return users


class Dependencies(unittest.TestCase):
    def test_only_the_named_packages_use_the_aws_sdk(self) -> None:
        allowed = {crate: set(re.findall(r'"([^"]+)"', names)) for crate, names in _BAN.findall((ROOT / "deny.toml").read_text())}
        users = users_of_sdk()
        self.assertIn("aws-sdk-dynamodb", users)
        for crate, names in users.items():
            self.assertLessEqual(names, allowed.get(crate, set()), f"{crate}: see deny.toml")

    def test_every_crate_comes_from_crates_io(self) -> None:
        sources = _SOURCE.findall((ROOT / "Cargo.lock").read_text())
        self.assertGreater(len(sources), 100)
        self.assertEqual(set(sources), {_CRATES_IO})


if __name__ == "__main__":
    unittest.main()
