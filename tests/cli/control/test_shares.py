"""Tests of asynctask.cli.control.shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.control.shares import Share
from asynctask.errors import UsageError
from tests.support import refused

pytestmark = pytest.mark.one_loop("no loop takes part")


@pytest.mark.parametrize(
    ("text", "total", "at_least", "at_most"),
    [
        ("1", 10, 1, 1),
        ("50", 10, 50, 50),
        ("10%", 10, 1, 1),
        ("10%", 15, 2, 1),
        ("0.5%", 5000, 25, 25),
        ("0.5%", 10, 1, 1),
        ("33.3%", 10, 4, 3),
        ("29%", 100, 29, 29),  # as floats these are 28.999999999999996
        ("100%", 7, 7, 7),
        (" 5 ", 10, 5, 5),
    ],
)
def test_how_many_nodes_it_is(text: str, total: int, at_least: int, at_most: int) -> None:
    """Exactly, and one at least."""
    share = Share.parse(text)
    assert (share.at_least(total), share.at_most(total)) == (at_least, at_most)
    assert str(share) == text.strip()


@pytest.mark.parametrize(
    "text", ["", "%", "0", "0%", "-1", "1.5", "1.0", "101%", "100.1%", "ten", "5 %", "1e3", "٣", "5%%", "1_0"]
)
def test_what_is_none(text: str) -> None:
    """The message says what would be right."""
    message = f"{text!r}: a number of nodes, 1 or more, or a part of them such as 10%"
    refused(UsageError, message, lambda: Share.parse(text))


@given(percent=st.integers(1, 100), total=st.integers(1, 10_000))
def test_a_percentage_is_rounded_to_the_side_that_was_asked_for(percent: int, total: int) -> None:
    """Both are within one node of the exact number."""
    share = Share.parse(f"{percent}%")
    assert 0 <= share.at_least(total) * 100 - percent * total < 100
    assert share.at_most(total) == max(1, percent * total // 100)
