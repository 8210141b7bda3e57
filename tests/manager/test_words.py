"""Tests of asynctask.manager.words."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given, strategies

from asynctask.errors import UsageError
from asynctask.manager.words import Variable, Word, filled, split, word
from tests.support import refused

pytestmark = pytest.mark.one_loop("nothing here waits")

A = Variable("A")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b", [("a",), ("b",)]),
        ("  a\tb \n", [("a",), ("b",)]),
        ("", []),
        ("'a b' \"c d\"", [("a b",), ("c d",)]),
        ("a'b'\"c\"\\ d", [("abc d",)]),
        ("'' \"\"", [("",), ("",)]),
        ("a \\\n b", [("a",), ("b",)]),
        ("a\\\nb", [("ab",)]),
        ("$A ${A} x${A}y", [(A,), (A,), ("x", A, "y")]),
        ('"$A b"', [(A, " b")]),
        ("'$A' \\$A \"\\$A\" $$A", [("$A",), ("$A",), ("$A",), ("$A",)]),
        ("$1 a$ $", [("$1",), ("a$",), ("$",)]),
        (r'"\a\"\\\`"', [('\\a"\\`',)]),
        ("'a|b' \"c;d\" \\&", [("a|b",), ("c;d",), ("&",)]),
        ("a\xa0b", [("a\xa0b",)]),
        ("x A=b", [("x",), ("A=b",)]),
        ("#a", [("#a",)]),
    ],
)
def test_a_command_becomes_words(text: str, expected: list[Word]) -> None:
    """As a shell would do it; variables stay what they are, and split nothing."""
    assert split(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a | b", "'|' needs a shell: put it into quotes, or set shell = true"),
        ("a && b", "'&' needs a shell: put it into quotes, or set shell = true"),
        ("a; b", "';' needs a shell: put it into quotes, or set shell = true"),
        ("a 2>b", "'>' needs a shell: put it into quotes, or set shell = true"),
        ("a `b`", "'`' needs a shell: put it into quotes, or set shell = true"),
        ('a "`b`"', "'`' needs a shell: put it into single quotes, or set shell = true"),
        ("a $(b)", "'$(' needs a shell: put it into single quotes, or set shell = true"),
        ('a "$(b)"', "'$(' needs a shell: put it into single quotes, or set shell = true"),
        ("A=1 b", "it begins with A=, which needs a shell: set A in env, or shell = true"),
        ("'a", "a quotation mark ' is not closed"),
        ('"a', 'a quotation mark " is not closed'),
        ('"a\\', 'a quotation mark " is not closed'),
        ("a\\", "it ends with a backslash"),
        ("${A", "${ has no }; $$ stands for a dollar sign"),
        ("${A:-b}", "${A:-b} is no variable: only ${NAME} is known here, a shell knows more"),
        ("${}", "${} is no variable: only ${NAME} is known here, a shell knows more"),
    ],
)
def test_what_only_a_shell_can_do_is_refused(text: str, reason: str) -> None:
    """It would become an argument, and nobody would notice."""
    refused(UsageError, reason, lambda: split(text))


@given(strategies.text("ab' \"\\\n\t#*=[]é"))
def test_without_variables_it_is_what_the_standard_library_does(text: str) -> None:
    """But for a backslash before the end of a line, which a shell takes away, and an assignment."""
    try:
        expected = shlex.split(text)
    except ValueError:
        with pytest.raises(UsageError):
            split(text)
        return
    if "\\\n" in text or (expected and expected[0].partition("=")[0].isalpha() and "=" in expected[0]):
        return
    assert [filled(each, {}) for each in split(text)] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("",)),
        ("a b", ("a b",)),
        ("$A", (A,)),
        ("'$A'", ("'", A, "'")),
        ("a|b\\", ("a|b\\",)),
        ("$$A", ("$A",)),
    ],
)
def test_an_argument_is_one_word(text: str, expected: Word) -> None:
    """Only the dollar sign means something in it."""
    assert word(text) == expected


@given(strategies.text())
def test_a_doubled_dollar_sign_is_one(text: str) -> None:
    """So any text can be written."""
    assert filled(word(text.replace("$", "$$")), {}) == text


def test_a_value_is_not_looked_at_again() -> None:
    """Nothing in it is split, or replaced."""
    assert filled(word("x${A}"), {"A": "$B 'c"}) == "x$B 'c"


def test_a_variable_without_a_value() -> None:
    """The error has its name."""
    with pytest.raises(KeyError, match="A"):
        filled((A,), {})
