"""Tests of asynctask.manager.files.dotenv."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies

from asynctask.errors import TemplateError
from asynctask.manager.files.dotenv import parse_dotenv, read_dotenv
from tests.support import refused

pytestmark = pytest.mark.one_loop("files alone")


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("", {}),
        ("# a\n\n  \n  # b", {}),
        ("A=b", {"A": "b"}),
        ("A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
        ("  export A = b  \n", {"A": "b"}),
        ("A=\nB= # x\nC=#y", {"A": "", "B": "", "C": ""}),
        ("A=b # c\nB=b#c", {"A": "b", "B": "b#c"}),
        ("A=b c=d 'e'", {"A": "b c=d 'e'"}),
        ("A=$B ${C} \\n", {"A": "$B ${C} \\n"}),
        ("A='b # \\n \"' # c", {"A": 'b # \\n "'}),
        ('A="b # \\n\\t\\"\\\\\\$\\x" # c', {"A": 'b # \n\t"\\$\\x'}),
        ("A='b\nc'\nB=\"d\n\ne\"\n", {"A": "b\nc", "B": "d\n\ne"}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)
def test_variables(text: str, variables: dict[str, str]) -> None:
    """As people write them; nothing is replaced."""
    assert parse_dotenv(text) == variables


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A=1\nsecret\n", ".env:2: a line is NAME=value; a name has ASCII letters, digits and _"),
        ("A: secret", ".env:1: a line is NAME=value; a name has ASCII letters, digits and _"),
        ("1A=secret", ".env:1: a line is NAME=value; a name has ASCII letters, digits and _"),
        ("\n\nA='secret\n", ".env:3: A: a quotation mark ' is not closed"),
        ('A="secret\\"', '.env:1: A: a quotation mark " is not closed'),
        ("A='a\nb'\nB='b'secret", ".env:3: B: something comes after the closing quotation mark"),
        ("A=secret\0", ".env:1: A: a value cannot hold a NUL character"),
        ("ASYNCTASK_NAME=secret", ".env:1: ASYNCTASK_NAME: the manager sets it"),
    ],
)
def test_what_makes_no_sense(text: str, message: str) -> None:
    """The line is told, and no value."""
    refused(TemplateError, message, lambda: parse_dotenv(text))


@given(strategies.text().filter(lambda text: "\0" not in text and "\r\n" not in text))
def test_any_value_can_be_written(value: str) -> None:
    """In double quotes."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')

    assert parse_dotenv(f'A="{quoted}"\nB=1') == {"A": value, "B": "1"}


def test_the_later_file_counts(tmp_path: Path) -> None:
    """Variable by variable."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("A=1\nB=1")
    two.write_text("B=2\nC=2")

    assert read_dotenv([one, two]) == {"A": "1", "B": "2", "C": "2"}
