"""Tests of asynctask.manager.units."""

from __future__ import annotations

import pytest

from asynctask.errors import UsageError
from asynctask.manager.units import bytes_of, seconds_of
from tests.support import refused

pytestmark = pytest.mark.one_loop("nothing here waits")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10), (" 1.5 m ", 90), ("2h", 7200), ("1d", 86400), ("10", 10)],
)
def test_times(text: str, seconds: float) -> None:
    """A number and a unit, seconds without one."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 week", "1e3", "inf", "\u0661s"])
def test_no_times(text: str) -> None:
    """The message says what one looks like."""
    refused(
        UsageError, 'a time is seconds, or text like "500ms", "10s", "5m", "2h"', lambda: seconds_of(text)
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("1k", 1024),
        ("50MB", 50 << 20),
        ("50 MiB", 50 << 20),
        ("1g", 1 << 30),
        ("2TB", 2 << 40),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """Powers of 1024, as all who keep logs count."""
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.5k", "1 XB"])
def test_no_sizes(text: str) -> None:
    """The message says what one looks like."""
    refused(UsageError, 'a size is bytes, or text like "500kB", "50MB", "1GB"', lambda: bytes_of(text))
