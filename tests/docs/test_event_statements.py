"""The table of the statements behind events says something of each, and names tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.docs.site import ROOT

PAGE = (ROOT / "docs" / "event-statements.md").read_text()
ROWS = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::([\w:]+)`", PAGE)))


@cache
def _tests(file: str) -> frozenset[str]:
    """The names of the tests of a file, those in classes as ``Class::test``."""
    names = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        names |= {
            prefix + each.name for each in inside if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return frozenset(names)


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_exists(file: str, test: str) -> None:
    """Where the table says that it is."""
    assert test in _tests(file)


def test_each_row_says_what_is_so_and_where_it_is_shown() -> None:
    """But for what asynctask does not do."""
    rows = [row for row in ROWS if row[0] != "statement"]
    assert len(rows) > 100
    unclear = [row[0] for row in rows if not re.match(r"(same|better|chosen|differs|not)\b", row[1])]
    bare = [row[0] for row in rows if not row[1].startswith("not") and "::" not in row[-1]]
    assert (unclear, bare) == ([], [])


def test_all_44_statements_of_the_event_framework() -> None:
    """In their order, none left out."""
    assert [int(row[0]) for row in ROWS if row[0].isdecimal()] == list(range(1, 45))
