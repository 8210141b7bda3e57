"""Wishes for another number of processes."""

from __future__ import annotations

import pytest

from asynctask.errors import ManagerError, UsageError
from asynctask.manager.counts import MOST, new_count

pytestmark = pytest.mark.one_loop("arithmetic")


@pytest.mark.parametrize(
    ("wish", "count"),
    [(0, 0), (7, 7), ("7", 7), ("=2", 2), ("+1", 4), ("+0", 3), ("-3", 0), (" +2 ", 5), (MOST, MOST)],
)
def test_a_wish_is_a_number_or_a_change(wish: int | str, count: int) -> None:
    """From three."""
    assert new_count("web", 3, wish) == count


@pytest.mark.parametrize("wish", ["", "+", "three", "1.5", "--1", "+-1", True, 1.5, None])
def test_what_is_no_wish_is_refused(wish: int | str) -> None:
    """In one line, with what is meant."""
    with pytest.raises(UsageError) as caught:
        new_count("web", 3, wish)
    assert str(caught.value) == f"web: cannot scale to {wish!r}: give a number, '+n' or '-n'"


@pytest.mark.parametrize(("wish", "count"), [("-4", -1), (-1, -1), (MOST + 1, MOST + 1), ("+10000", 10003)])
def test_a_number_has_bounds(wish: int | str, count: int) -> None:
    """Less than none is not the same as none."""
    with pytest.raises(ManagerError) as caught:
        new_count("web", 3, wish)
    assert str(caught.value) == f"web: cannot scale from 3 to {count}: it can be 0 to {MOST}"


def test_there_may_be_another_bound() -> None:
    """As of the ports that there are."""
    assert new_count("web", 3, "+1", 4) == 4
    with pytest.raises(ManagerError, match=r"^web: cannot scale from 3 to 5: it can be 0 to 4$"):
        new_count("web", 3, "+2", 4)
