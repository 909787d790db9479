"""Proves how a stack is configured, and that two don't meet."""

import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from .. import build, stack
from ..aws import REGION
from ..cli import _options, _parser, _split
from ..errors import LocalError
from ..stack import Options


class Configuration(unittest.TestCase):
    """The configuration that the program is rendered with."""

    def config(self, options: Options) -> dict[str, str]:
        return stack._config(options, "http://127.0.0.1:4566")

    def test_the_limit_sets_shards_and_pages_too(self) -> None:
        config = self.config(Options(inline_limit=50))
        for key in ("inlineLimit", "shardMembers", "pageMembers"):
            self.assertEqual(config[f"hubbub:{key}"], "50")

    def test_a_limit_of_none_leaves_a_member_to_shards_and_pages(self) -> None:
        config = self.config(Options(inline_limit=0))
        self.assertEqual(config["hubbub:inlineLimit"], "0")
        self.assertEqual(config["hubbub:shardMembers"], "1")

    def test_a_setting_wins_and_may_name_its_project(self) -> None:
        config = self.config(Options(inline_limit=50, settings={"pageMembers": "7", "aws:region": "eu-north-1"}))
        self.assertEqual(config["hubbub:pageMembers"], "7")
        self.assertEqual(config["aws:region"], "eu-north-1")

    def test_the_stacks_file_is_where_it_begins(self) -> None:
        config, file = self.config(Options()), build.stack_config("local")
        self.assertEqual(config.keys() - file.keys(), {"hubbub:tokenKey"})
        self.assertEqual(config["aws:region"], REGION)

    def test_each_stack_has_a_key_of_its_own(self) -> None:
        first, second = self.config(Options()), self.config(Options())
        self.assertNotEqual(first["hubbub:tokenKey"], second["hubbub:tokenKey"])


class Folders(unittest.TestCase):
    """One stack to a folder."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "local"
        default = patch.object(stack, "DEFAULT_FOLDER", self.folder)
        default.start()
        self.addCleanup(default.stop)

    def test_a_second_stack_gets_a_folder_that_goes_with_it(self) -> None:
        with stack._locked_folder(None, 1) as (first, _):
            with stack._locked_folder(None, 2) as (second, _):
                self.assertEqual((first, second), (self.folder, self.folder.with_name("local-2")))
                self.assertTrue(second.is_dir())
            self.assertFalse(second.exists())
        self.assertTrue(first.is_dir())

    def test_a_folder_that_was_asked_for_must_be_free(self) -> None:
        with stack._locked_folder(None, 1) as (first, _), self.assertRaisesRegex(LocalError, "another stack runs in"):
            with stack._locked_folder(first, 2):
                self.fail("two stacks have one folder")


class Arguments(unittest.TestCase):
    """The command line."""

    def test_all_after_the_first_dashes_is_the_command(self) -> None:
        self.assertEqual(_split(["run", "--port", "1"]), (["run", "--port", "1"], []))
        self.assertEqual(_split(["run", "--", "a", "--", "b"]), (["run"], ["a", "--", "b"]))

    def test_calls_are_recorded_only_where_each_function_has_a_key_of_its_own(self) -> None:
        both = _options(_parser().parse_args(["run", "--enforce-policies", "--record-calls"]))
        self.assertTrue(both.record_calls and both.enforce_policies)
        with self.assertRaisesRegex(LocalError, "needs --enforce-policies"):
            _options(_parser().parse_args(["run", "--record-calls"]))
