"""Tests of asynctask.rules.tracking."""

from __future__ import annotations

import pytest

from asynctask.rules.tracking import Deliveries

pytestmark = pytest.mark.one_loop("nothing here waits")


def test_a_state_is_due_when_all_of_its_batch_is_handled() -> None:
    """Not earlier, and once."""
    deliveries = Deliveries()
    delivery = deliveries.open(b"1")
    delivery.hold()
    delivery.release()
    assert (deliveries.due.is_set(), deliveries.take()) == (False, None)
    delivery.release()
    assert (deliveries.due.is_set(), deliveries.take()) == (True, b"1")
    assert (deliveries.due.is_set(), deliveries.take()) == (False, None)


def test_few_states_wait() -> None:
    """Of what comes while nothing gets done, only the last is kept."""
    deliveries = Deliveries()
    opened = [deliveries.open(b"%d" % number) for number in range(100)]
    assert deliveries.unhandled == 8
    for delivery in opened[:-1]:
        delivery.release()
    assert (deliveries.take(), deliveries.unhandled) == (b"6", 1)
    deliveries.open(b"100").release()
    opened[-1].release()
    assert (deliveries.take(), deliveries.unhandled) == (b"100", 0)


def test_a_state_is_not_due_before_all_that_came_earlier_is_handled() -> None:
    """Else that would be missed after a restart."""
    deliveries = Deliveries()
    first, second, third = (deliveries.open(state) for state in (b"1", b"2", b"3"))
    second.release()
    third.release()
    assert (deliveries.take(), deliveries.unhandled) == (None, 3)
    first.release()
    assert (deliveries.take(), deliveries.unhandled) == (b"3", 0)
