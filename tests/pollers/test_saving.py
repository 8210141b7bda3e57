"""Tests of asynctask.pollers.saving."""

from __future__ import annotations

import json
import os

import pytest

from asynctask.errors import UsageError
from asynctask.pollers.saving import check, pack, unpack
from tests.support import refused

URL = "file:///srv"


def test_there_and_back() -> None:
    """Any name, any stamp of values that JSON has."""
    listing = {
        "a": ("file", 1700000000123456789, 0, 2**63),
        os.fsdecode(b"\xff\n"): ("link", None, True, "x"),
        "": ("dir",),
    }
    assert unpack(URL, pack(URL, listing)) == listing


def test_the_form() -> None:
    """JSON, line by line: what it is and of what, then the entries."""
    lines = pack(URL, {"a": ("file", 1)}).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"asynctask poller": 1, "url": URL, "lines": 1, "crc": 2611948397},
        {"a": ["file", 1]},
    ]


@pytest.mark.parametrize("count", [0, 1, 1000, 1001, 2500])
def test_many_entries_go_into_several_lines(count: int) -> None:
    """No line is so long that reading it holds up a loop."""
    listing = {f"name {number}": ("file", number) for number in range(count)}
    state = pack(URL, listing)
    assert state.count(b"\n") == 1 + -(-count // 1000)
    assert unpack(URL, state) == listing


def test_a_state_of_another_url() -> None:
    """It would report everything as deleted."""
    state = pack(URL, {})
    refused(
        UsageError, "file:///other: the state is one of file:///srv", lambda: check("file:///other", state)
    )


def test_a_state_of_another_version() -> None:
    """It is not guessed at."""
    state = pack(URL, {}).replace(b'poller":1', b'poller":2')
    message = "file:///srv: the state is of another version of asynctask: start without it"
    refused(UsageError, message, lambda: check(URL, state))


@pytest.mark.parametrize("state", [b"", b"[]", b"{}\n", b"\xff\n", b"null", b"[" * 10_000])
def test_what_is_no_state(state: bytes) -> None:
    """Some other file."""
    refused(UsageError, "file:///srv: this is no state of a poller", lambda: check(URL, state))


def test_a_state_that_was_cut_off() -> None:
    """A disk was full: what is missing would be reported again."""
    state = pack(URL, {f"{number}": ("file", 1) for number in range(1001)})
    cut = state[: state.rindex(b"\n", 0, -1) + 5]
    message = "file:///srv: a part of the state is missing: start without it"
    refused(UsageError, message, lambda: check(URL, cut))


@pytest.mark.parametrize("lines", [b'"1"', b"null", b"[1]", b"-1"])
def test_a_head_that_is_damaged(lines: bytes) -> None:
    """It does not say how much there is."""
    state = pack(URL, {}).replace(b'"lines":0', b'"lines":' + lines)
    message = "file:///srv: a part of the state is missing: start without it"
    refused(UsageError, message, lambda: check(URL, state))


@pytest.mark.parametrize("line", [b'{"a":', b'["a"]', b'{"a":1}', b'{"a":["file",2]}', b'{"b":["file",1]}'])
def test_a_state_that_is_damaged(line: bytes) -> None:
    """Seen when it is read, also where it makes sense."""
    state = pack(URL, {"a": ("file", 1)}).splitlines()[0] + b"\n" + line + b"\n"
    check(URL, state)
    message = "file:///srv: the state is damaged: start without it"
    refused(UsageError, message, lambda: unpack(URL, state))
