"""Tests of asynctask.rules.limits."""

from __future__ import annotations

from itertools import islice

import pytest

from asynctask.errors import UsageError
from asynctask.rules.limits import LONGEST_PAUSE, Rate, TokenBucket, pauses, seconds_of

pytestmark = pytest.mark.one_loop("nothing here waits")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("2", 2),
        ("500ms", 0.5),
        ("10s", 10),
        ("1.5m", 90),
        (" 2 h ", 7200),
        ("1d", 86400),
        (".5", 0.5),
    ],
)
def test_a_time(value: object, seconds: float) -> None:
    """A number of seconds, or text with a unit."""
    assert seconds_of(value) == seconds


@pytest.mark.parametrize("value", [-1, True, None, "", "s", "1 week", "-1s", float("nan"), ".", "1e3", []])
def test_no_time(value: object) -> None:
    """It is refused."""
    with pytest.raises(UsageError, match="a time is seconds"):
        seconds_of(value)


@pytest.mark.parametrize("value", [float("inf"), 1e10, 10**400, "9" * 400, "20000d"])
def test_a_time_without_end(value: object) -> None:
    """No clock takes it."""
    with pytest.raises(UsageError, match="thirty years at most"):
        seconds_of(value)


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/1m", Rate(10, 60)), ("5/s", Rate(5, 1)), ("100/2h", Rate(100, 7200)), ("3 / 500ms", Rate(3, 0.5))],
)
def test_a_rate(text: str, rate: Rate) -> None:
    """So many in a time."""
    assert Rate.parse(text) == rate


@pytest.mark.parametrize(
    "text", ["", "10", "9" * 5000 + "/s", "1/" + "9" * 400 + "s", "0/1m", "1/0s", "-1/s", "x/1m", 10, None]
)
def test_no_rate(text: object) -> None:
    """What lets nothing through is none."""
    with pytest.raises(UsageError, match="a rate is text like"):
        Rate.parse(text)


def test_a_rate_is_kept() -> None:
    """All at once at first, then one each time its part of the seconds has passed."""
    now = 0.0
    bucket = TokenBucket(Rate(2, 10), lambda: now)
    assert [bucket.take(), bucket.take(), bucket.take()] == [0, 0, 5]
    now = 4.0
    assert bucket.take() == pytest.approx(1)
    now = 5.0
    assert [bucket.take(), bucket.take()] == [0, pytest.approx(5)]
    now = 1000.0
    assert [bucket.take(), bucket.take(), bucket.take()] == [0, 0, 5]


def test_what_was_waited_for_is_there() -> None:
    """However often, whatever the rounding: a wait of nothing would spin."""
    now = 0.1
    bucket = TokenBucket(Rate(3, 0.7), lambda: now)
    for _ in range(1000):
        now += bucket.take()
        assert bucket.take() >= 0
    assert 1000 * 0.7 / 3 * 0.9 < now < 2000 * 0.7 / 3 * 1.1


def test_without_a_rate_nothing_waits() -> None:
    """Everything may go at once."""
    bucket = TokenBucket(None)
    assert [bucket.take() for _ in range(1000)] == [0] * 1000


def test_pauses_double_up_to_a_bound() -> None:
    """Each is between half of the longest and all of it."""
    assert list(islice(pauses(1, lambda: 1), 4)) == [1, 2, 4, 8]
    assert list(islice(pauses(1, lambda: 0), 4)) == [0.5, 1, 2, 4]
    assert list(islice(pauses(1, lambda: 1), 20))[-1] == LONGEST_PAUSE
