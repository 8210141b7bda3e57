"""The page of faults says of each fault what the tests say, and no message that is never shown."""

from __future__ import annotations

import re

import pytest

from asynctask.testing import Fault
from tests.docs.site import ROOT, USER
from tests.testing.test_faults_outcomes import ILL, TABLE, Row

PAGE = (ROOT / "docs" / "faults.md").read_text()
GUIDE = (ROOT / "docs" / "getting-started.md").read_text()
NODE = "web2"
PLACES = {"place": f"port 22 of {NODE}", "known_hosts": "~/.ssh/known_hosts"}

#: Of each table the rows, as cells.
ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")
]
FAULTS = {row[0].strip("`"): row for row in ROWS if len(row) == 5 and row[0] != "`Fault`"}
OTHERS = [row for row in ROWS if len(row) == 3]
FIRST_STEPS = re.findall(r"^\| `([^`]+)`", GUIDE, re.MULTILINE)

#: The source as one text, in which a message that stands on two lines is one.
SOURCE = re.sub(
    r'"\s*\n\s*f?"',
    "",
    "".join(
        path.read_text()
        for folder in ("ssh", "workers", "transfer")
        for path in sorted((ROOT / "asynctask" / folder).glob("*.py"))
    ),
)


def test_each_fault_has_its_line() -> None:
    """None is missing, none is twice, none is made up."""
    assert sorted(FAULTS) == sorted(fault.name for fault in Fault)
    assert len(ROWS) == len(FAULTS) + len(OTHERS) + 4  # four tables have a head that names Fault


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.fault.name)
def test_a_line_says_what_its_test_says(row: Row) -> None:
    """The same outcome, the same message."""
    _, _, outcome, message, _ = FAULTS[row.fault.name]
    expected = row.message.format(**PLACES).replace(ILL, NODE).replace("asynctask", USER)
    expected = expected.replace("within 0.5 s", "within 10 s").removesuffix(" (")

    assert (outcome, message.strip("`")) == (f"`{row.outcome.name}`", expected)


@pytest.mark.parametrize("message", [*(row[0].strip("`") for row in OTHERS), *FIRST_STEPS])
def test_a_message_is_one_that_is_shown(message: str) -> None:
    """What stands between the names in it is in the source."""
    pieces = [piece for piece in re.split(r"…|\bbastion\b|\b\d+\b", message) if piece.strip(" :;,")]

    assert pieces
    assert [piece for piece in pieces if piece not in SOURCE] == []
