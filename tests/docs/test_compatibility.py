"""The table of compatibility names tests that exist, and says something of every row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "compatibility.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_named_test_exists(file: str, test: str) -> None:
    """Where the table says that it is."""
    assert re.search(rf"^(async )?def {test}\(", (ROOT / "tests" / file).read_text(), re.MULTILINE)


def test_each_same_and_each_better_names_its_test() -> None:
    """What is only claimed is not known."""
    rows = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| (1\.\d+|`)", line)]
    assert len(rows) > 100
    bare = [row[0] for row in rows if re.match(r"same|better", row[2]) and "::" not in row[3]]
    assert bare == []
