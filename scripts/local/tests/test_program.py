"""Proves what a program may declare, and in which order that is created."""

import json
import unittest
from typing import Any

from ..errors import ProgramError
from ..program import Program, parse_program


def parse(**sections: Any) -> Program:
    """A program with these sections."""
    return parse_program(json.dumps({"name": "hubbub", "runtime": "yaml", **sections}))


def queue(name: str = "q", **options: Any) -> dict[str, Any]:
    """A queue with this name and these options."""
    return {"type": "aws:sqs:Queue", "properties": {"name": name}, "options": options}


class Parsing(unittest.TestCase):
    """Unknown keys and wrong shapes."""

    def check(self, message: str, **sections: Any) -> None:
        with self.subTest(message), self.assertRaises(ProgramError) as caught:
            parse(**sections)
        self.assertIn(message, str(caught.exception))

    def test_an_unknown_key_is_an_error_that_names_it(self) -> None:
        self.check("the program: the key `output` isn't known", output={})
        self.check("resource `a`: the key `get` isn't known", resources={"a": {"type": "x", "get": {}}})
        self.check("resource `a`, `options`: the key `aliases` isn't known", resources={"a": queue(aliases=[])})
        self.check("configuration value `k`: the key `kind` isn't known", configuration={"k": {"kind": 1}})

    def test_what_has_the_wrong_shape_is_an_error(self) -> None:
        self.check("`resources` must be an object", resources=[])
        self.check("resource `a` has no `type`", resources={"a": {}})
        self.check("must be a resource, written `${name}`", resources={"a": queue(dependsOn=["b"])})
        with self.assertRaisesRegex(ProgramError, "the program isn't JSON"):
            parse_program("name: hubbub")

    def test_a_name_stands_for_one_thing(self) -> None:
        self.check("the name `a` is declared twice", resources={"a": queue()}, variables={"a": "x"})

    def test_a_configuration_value_may_be_named_with_its_project(self) -> None:
        program = parse(configuration={"hubbub:tokenKey": {"type": "String", "secret": True}})
        self.assertEqual(list(program.settings), ["tokenKey"])


class Order(unittest.TestCase):
    """What is created after what."""

    def test_each_comes_after_all_that_it_needs_and_otherwise_as_declared(self) -> None:
        program = parse(
            resources={
                "last": queue("${name}-${middle.id}"),
                "middle": queue("m", dependsOn=["${first}"]),
                "first": queue("${pulumi.stack}"),
                "other": queue("o"),
            },
            variables={"name": "${first.arn}"},
        )
        self.assertEqual(program.creation_order(), ["first", "name", "middle", "last", "other"])

    def test_a_circle_is_an_error_that_shows_it(self) -> None:
        program = parse(resources={"a": queue("${b.id}"), "b": queue("${v}")}, variables={"v": "${a.id}"})
        with self.assertRaises(ProgramError) as caught:
            program.creation_order()
        self.assertEqual(str(caught.exception), "the program has a cycle: `v` → `a` → `b` → `v`")

    def test_a_resource_that_waits_for_itself_is_a_circle(self) -> None:
        program = parse(resources={"a": queue(dependsOn="${a}")})
        with self.assertRaisesRegex(ProgramError, "`a` → `a`"):
            program.creation_order()

    def test_waiting_for_nothing_is_an_error(self) -> None:
        with self.assertRaisesRegex(ProgramError, "there's no resource `b`"):
            parse(resources={"a": queue(dependsOn=["${b}"])})
