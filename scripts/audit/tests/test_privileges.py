"""Proves that a grant too few, a grant too many and a reason too many are each found."""

import unittest
from dataclasses import replace

from ..privileges import Right, called_rights, compare, granted_rights
from ..reasons import REASONS, Reason

PUT = Right("connect", "dynamodb:PutItem", "arn:aws:dynamodb:us-east-1:0:table/t")
POSTS = Right("connect", "execute-api:ManageConnections", "arn:aws:execute-api:us-east-1:0:a/v1/POST/@connections/*")
SELDOM = Reason("connect", "dynamodb:PutItem", "*:table/t", "only a fault does this")


class Comparing(unittest.TestCase):
    """Grants and calls."""

    def check(self, granted: list[Right], called: list[Right], reasons: list[Reason], *expected: str) -> None:
        findings = list(compare(granted, called, reasons))
        self.assertEqual(len(findings), len(expected), findings)
        for finding, part in zip(findings, expected):
            self.assertIn(part, finding)

    def test_what_is_granted_and_called_is_well(self) -> None:
        self.check([PUT, POSTS], [POSTS, PUT], [])

    def test_a_call_without_a_grant_is_found(self) -> None:
        self.check([], [PUT], [], "was called and isn't granted")
        for other in (
            Right("deliver", PUT.action, PUT.resource),
            Right(PUT.function, "dynamodb:GetItem", PUT.resource),
            Right(PUT.function, PUT.action, f"{PUT.resource}2"),
            Right("?", "?", "?"),
        ):
            self.check([PUT], [PUT, other], [], "was called and isn't granted")

    def test_a_grant_that_is_never_used_is_found_unless_it_has_a_reason(self) -> None:
        self.check([PUT], [], [], "is granted and was never called")
        self.check([PUT], [], [SELDOM])

    def test_a_reason_that_explains_nothing_is_found(self) -> None:
        self.check([PUT], [PUT], [SELDOM], "was called: remove its reason")
        self.check([], [], [SELDOM], "isn't granted any more: remove its reason")

    def test_a_reason_may_allow_use(self) -> None:
        reason = replace(SELDOM, may_be_used=True)
        self.check([PUT], [PUT], [reason])
        self.check([], [], [reason], "isn't granted any more: remove its reason")

    def test_only_stars_and_question_marks_are_special(self) -> None:
        self.assertTrue(Right("f", "a:B", "arn:x/*").covers(Right("f", "a:b", "arn:x/1")))
        self.assertFalse(Right("f", "a:B", "arn:x/[12]").covers(Right("f", "a:B", "arn:x/1")))

    def test_no_reason_is_there_twice_and_each_has_a_sentence(self) -> None:
        keys = [(reason.function, reason.action, reason.resource) for reason in REASONS]
        self.assertEqual(len(keys), len(set(keys)))
        self.assertTrue(all(len(reason.why.split()) > 4 for reason in REASONS))


class Reading(unittest.TestCase):
    """The files of a run."""

    def test_functions_have_their_own_names(self) -> None:
        statement = {"Effect": "Allow", "Action": [PUT.action], "Resource": [PUT.resource]}
        policies = {"hubbub-local-connect": [{"Version": "2012-10-17", "Statement": [statement]}]}
        self.assertEqual(granted_rights(policies), [PUT])
        calls = [{"function": "hubbub-local-connect", "action": PUT.action, "resource": PUT.resource, "count": 3}]
        self.assertEqual(called_rights(calls), [PUT])

    def test_a_statement_that_says_more_is_not_misread(self) -> None:
        for change in ({"Effect": "Deny"}, {"Condition": {}}):
            statement = {"Effect": "Allow", "Action": ["a:B"], "Resource": ["*"], **change}
            with self.assertRaisesRegex(ValueError, "doesn't know what this means"):
                granted_rights({"f": [{"Statement": [statement]}]})
