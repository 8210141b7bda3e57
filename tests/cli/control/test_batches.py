"""Tests of asynctask.cli.control.batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.control.batches import plan
from asynctask.cli.control.shares import Share

pytestmark = pytest.mark.one_loop("no loop takes part")

TEN = tuple(f"n{number}" for number in range(10))


@pytest.mark.parametrize(
    ("batch", "canary", "sizes"),
    [
        (None, 0, [10]),
        ("4", 0, [4, 4, 2]),
        ("10", 0, [10]),
        ("99", 0, [10]),
        ("25%", 0, [2, 2, 2, 2, 2]),
        ("1%", 0, [1] * 10),
        ("100%", 0, [10]),
        (None, 1, [1, 9]),
        ("4", 1, [1, 4, 4, 1]),
        ("50%", 2, [2, 5, 3]),
        (None, 10, [10]),
        ("3", 12, [10]),
    ],
)
def test_how_large_they_are(batch: str | None, canary: int, sizes: list[int]) -> None:
    """A percentage is of all targets, and never more than that."""
    share = None if batch is None else Share.parse(batch)
    assert [len(nodes) for nodes in plan(TEN, share, canary)] == sizes


_shares = st.one_of(
    st.none(),
    st.integers(1, 60).map(lambda number: Share.parse(str(number))),
    st.integers(1, 100).map(lambda number: Share.parse(f"{number}%")),
)


@given(
    targets=st.lists(st.text(min_size=1), max_size=50, unique=True), batch=_shares, canary=st.integers(0, 60)
)
def test_together_they_are_the_targets_in_order(targets: list[str], batch: Share | None, canary: int) -> None:
    """Each of them once, and no batch is empty."""
    batches = plan(targets, batch, canary)
    assert [node for nodes in batches for node in nodes] == targets
    assert all(batches)


@given(total=st.integers(1, 500), batch=_shares.filter(bool), canary=st.integers(0, 20))
def test_no_batch_is_larger_than_was_asked_for(total: int, batch: Share, canary: int) -> None:
    """The first may be the canary; all others but the last are of the same size."""
    targets = [str(number) for number in range(total)]
    batches = plan(targets, batch, canary)
    rest = batches[1:] if canary else batches
    assert all(len(nodes) == batch.at_most(total) for nodes in rest[:-1])
    assert all(len(nodes) <= batch.at_most(total) for nodes in rest)
    assert not canary or len(batches[0]) == min(canary, total)
