"""Proves what a function's zip is like."""

import os
import tempfile
import unittest
import zipfile
from pathlib import Path

from ..build import ZIP, pack, take_packaged
from ..errors import LocalError


class Packing(unittest.TestCase):
    """Zips that depend on the binary alone."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.binary = Path(folder.name) / "connect"
        self.zipped = Path(folder.name) / "connect.zip"
        self.binary.write_bytes(b"machine code" * 1000)

    def test_the_entry_is_an_executable_bootstrap(self) -> None:
        self.assertTrue(pack(self.binary, self.zipped))
        with zipfile.ZipFile(self.zipped) as archive:
            (entry,) = archive.infolist()
            self.assertEqual(entry.filename, "bootstrap")
            self.assertEqual(entry.external_attr >> 16, 0o100755)
            self.assertEqual(archive.read(entry), self.binary.read_bytes())

    def test_the_same_binary_gives_the_same_zip_whenever_it_was_built(self) -> None:
        pack(self.binary, self.zipped)
        first = self.zipped.read_bytes()
        self.binary.touch()
        self.assertTrue(pack(self.binary, self.zipped))
        self.assertEqual(self.zipped.read_bytes(), first)

    def test_an_unchanged_binary_is_not_packed_again(self) -> None:
        pack(self.binary, self.zipped)
        self.assertFalse(pack(self.binary, self.zipped))

    def test_a_changed_binary_is_packed_again(self) -> None:
        pack(self.binary, self.zipped)
        self.binary.write_bytes(b"other code")
        os.utime(self.binary, ns=(1, 1))
        self.assertTrue(pack(self.binary, self.zipped))

    def test_a_damaged_zip_is_made_again(self) -> None:
        pack(self.binary, self.zipped)
        times = self.zipped.stat()
        self.zipped.write_bytes(b"no zip")
        os.utime(self.zipped, ns=(times.st_atime_ns, times.st_mtime_ns))
        self.assertTrue(pack(self.binary, self.zipped))


class Taking(unittest.TestCase):
    """The functions that are deployed, in the place of the local stack's own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.packaged, self.local = Path(folder.name) / "x86_64", Path(folder.name) / "local"
        self.packaged.mkdir()
        self.local.mkdir()
        (self.packaged / ZIP).write_text("packaged")
        (self.local / ZIP).write_text("quick")

    def test_the_packaged_zip_replaces_the_quick_one(self) -> None:
        take_packaged(self.packaged, self.local)
        taken = {zipped.name: zipped.read_text() for zipped in self.local.iterdir()}
        self.assertEqual(taken, {ZIP: "packaged"})

    def test_a_missing_zip_is_named_with_what_to_do(self) -> None:
        (self.packaged / ZIP).unlink()
        with self.assertRaisesRegex(LocalError, r"x86_64/functions\.zip` isn't there; run `scripts/package --architecture"):
            take_packaged(self.packaged, self.local)
