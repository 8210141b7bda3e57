"""What answers of web servers say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asynctask.pollers.http_stamps import Validators, fault, retry_after

pytestmark = pytest.mark.one_loop("nothing here runs on a loop")

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("validators", "stamp"),
    [
        (Validators('"a"', "today", "d"), ("resource", "etag", '"a"')),
        (Validators('W/"a"'), ("resource", "etag", '"a"')),
        (Validators("", "today", "d"), ("resource", "last-modified", "today")),
        (Validators("", "", "d"), ("resource", "digest", "d")),
    ],
)
def test_the_best_validator_is_the_stamp(validators: Validators, stamp: tuple[str, ...]) -> None:
    """A weak ETag is as good as a strong one."""
    assert validators.stamp == stamp


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (Validators('"a"', "then"), Validators('W/"a"', "now"), True),
        (Validators('"a"', "then"), Validators('"b"', "then"), False),
        (Validators('"a"', "then"), Validators("", "then"), True),
        (Validators('"a"', "then"), Validators("", "now"), False),
        (Validators("", "", "d"), Validators("", "", "d"), True),
        (Validators("", "", "d"), Validators("", "", "e"), False),
        (Validators('"a"'), Validators("", "", "d"), False),
        (Validators('"a"'), Validators("", "then"), False),
    ],
)
def test_states_are_the_same_by_the_best_that_both_have(old: Validators, new: Validators, same: bool) -> None:
    """With nothing in common they differ."""
    assert old.same(new) is same
    assert new.same(old) is same


def test_validators_are_read_from_headers() -> None:
    """None is no validator."""
    assert Validators.of({"etag": '"a"', "last-modified": "now"}) == Validators('"a"', "now")
    assert not Validators.of({"content-length": "3"})


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_temporary(status: int) -> None:
    """The server is busy, broken or slow."""
    assert fault(status, "Oh") == (f"the server answers {status} Oh", "", True)


@pytest.mark.parametrize("status", [304, 400, 401, 403, 405, 407, 418])
def test_what_stays_is_not(status: int) -> None:
    """Somebody has to do something."""
    assert fault(status, "")[2] is False


def test_what_a_server_gives_as_reason_cannot_drive_a_terminal() -> None:
    """Nor fill it."""
    assert fault(500, "a\x1b[2Jb" + "c" * 100)[0] == "the server answers 500 a[2Jb" + "c" * 54


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0.5", 0.5),
        ("100000", 300),
        ("inf", 300),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Sun, 01 Mar 2027 11:00:00 GMT", 300),
        ("-1", 0),
        ("nan", 0),
        ("", 0),
        ("soon", 0),
        ("Sun, 99 Mar 2026 12:00:30 GMT", 0),
    ],
)
def test_retry_after_is_bounded(value: str, seconds: float) -> None:
    """It is a number of seconds, or a date, or nonsense."""
    assert retry_after(value, NOON) == seconds
