"""Proves how a program's values are read."""

import json
import tempfile
import unittest
from pathlib import Path
from typing import Any

from ..errors import ProgramError
from ..values import Archive, Evaluator, references

SCOPE = {
    "queue": {"arn": "arn:queue", "name": "publish.fifo", "size": 3, "fifo": True, "tags": {"a-b": "c"}},
    "list": ["first", {"deep": "second"}],
    "stack": "local",
}


def evaluate(value: Any, folder: Path = Path("/")) -> Any:
    """Evaluates a value in `SCOPE`."""

    def invoke(function: str, arguments: Any, where: str) -> dict[str, Any]:
        if function != "aws:getCallerIdentity":
            raise ProgramError(f"{where}: no `{function}`")
        return {"accountId": "000000000000"}

    return Evaluator(SCOPE, folder, invoke).evaluate(value, "here")


class Text(unittest.TestCase):
    """Strings: references, and dollars."""

    def check(self, written: str, meant: Any) -> None:
        with self.subTest(written):
            self.assertEqual(evaluate(written), meant)

    def test_a_text_is_itself_with_its_references_replaced(self) -> None:
        self.check("", "")
        self.check("plain", "plain")
        self.check("arn is ${queue.arn}!", "arn is arn:queue!")
        self.check("${queue.name}/${stack}", "publish.fifo/local")
        self.check('${list[1].deep} ${queue.tags["a-b"]}', "second c")
        self.check("${queue.size} ${queue.fifo}", "3 true")

    def test_a_lone_reference_keeps_its_type(self) -> None:
        self.check("${queue.size}", 3)
        self.check("${queue.fifo}", True)
        self.check("${list}", SCOPE["list"])

    def test_two_dollars_are_one_in_every_string(self) -> None:
        self.check("$$", "$")
        self.check("$$.Execution.Id", "$.Execution.Id")
        self.check("$$$$.Execution.Id", "$$.Execution.Id")
        self.check("$${aws:username}", "${aws:username}")
        self.check("$$${stack}", "$local")
        self.check("$$$${stack}", "$${stack}")
        self.check("a$$b ${stack}", "a$b local")

    def test_a_single_dollar_is_itself(self) -> None:
        self.check("$", "$")
        self.check("$request.body.action", "$request.body.action")
        self.check("{% $states.input %}", "{% $states.input %}")

    def test_a_reference_that_cannot_be_read_or_resolved_is_an_error_that_names_it(self) -> None:
        for written, message in {
            "${queue.arn": "no closing brace",
            "${}": "can't read the reference `${}`",
            "${queue..arn}": "can't read the reference `${queue..arn}`",
            "${queue.nothing}": "here: `${queue.nothing}` has no value",
            "${nothing}": "here: `${nothing}` has no value",
            "${list[7]}": "here: `${list[7]}` has no value",
            "tags: ${queue.tags}": "is neither a string nor a number",
        }.items():
            with self.subTest(written), self.assertRaises(ProgramError) as caught:
                evaluate(written)
            self.assertIn(message, str(caught.exception))


class Functions(unittest.TestCase):
    """`fn::` calls."""

    def test_to_json_writes_what_its_argument_means(self) -> None:
        text = evaluate({"fn::toJSON": {"b": "${queue.arn}", "a": ["$${x}", 1, True]}})
        self.assertEqual(text, '{"a":["${x}",1,true],"b":"arn:queue"}')
        self.assertEqual(json.loads(text)["b"], "arn:queue")

    def test_an_archive_is_found_from_the_programs_folder(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "pulumi").mkdir()
            (Path(folder) / "connect.zip").touch()
            archive = evaluate({"fn::fileArchive": "../connect.zip"}, Path(folder) / "pulumi")
            self.assertEqual(archive, Archive((Path(folder) / "connect.zip").resolve()))

    def test_invoke_returns_all_or_the_part_that_is_asked_for(self) -> None:
        call = {"function": "aws:getCallerIdentity", "arguments": {}}
        self.assertEqual(evaluate({"fn::invoke": call}), {"accountId": "000000000000"})
        self.assertEqual(evaluate({"fn::invoke": {**call, "return": "accountId"}}), "000000000000")

    def test_what_is_not_known_is_an_error_that_names_it(self) -> None:
        for value, message in [
            ({"fn::select": [0, ["a"]]}, "here: the function `fn::select` isn't known"),
            ({"fn::toJSON": 1, "other": 2}, "must be alone in its object"),
            ({"fn::fileArchive": "nothing.zip"}, "there is no file `nothing.zip`"),
            ({"fn::toJSON": {"key$": 1}}, "the key `key$` has a dollar"),
            ({"fn::invoke": {"function": "aws:getAmi"}}, "no `aws:getAmi`"),
            ({"fn::invoke": {"function": "aws:getCallerIdentity", "return": "x"}}, "doesn't return `x`"),
            ({"fn::invoke": {"function": "aws:getCallerIdentity", "options": {}}}, "`options` isn't known"),
        ]:
            with self.subTest(value), self.assertRaises(ProgramError) as caught:
                evaluate(value)
            self.assertIn(message, str(caught.exception))


class References(unittest.TestCase):
    """What a value refers to."""

    def test_references_are_found_at_every_depth_with_their_places(self) -> None:
        value = {"a": ["$${no}", "${x.id}"], "b": {"fn::toJSON": {"c": "${y} and ${z[0].w}"}}}
        found = [(reference.root, reference.steps, where) for reference, where in references(value, "top")]
        self.assertEqual(
            found,
            [
                ("x", ("id",), "top.a[1]"),
                ("y", (), "top.b.fn::toJSON.c"),
                ("z", (0, "w"), "top.b.fn::toJSON.c"),
            ],
        )
