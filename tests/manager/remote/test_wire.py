"""Tests of the lines between a manager and its posts."""

from __future__ import annotations

import subprocess
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import ManagerError
from asynctask.manager.remote.wire import Decoder, Line, Message, Output, order, payload, place_of

pytestmark = pytest.mark.one_loop("there is no loop in it")

SAID = b"motd\nasynctask-node cafe ok 4096 100\nr 1 started a b\no 7 o 10 5\n\nab\nco 7 e 0 2\nxyx 7 0 gone\n"
MEANT: list[Message] = [
    Line("hello", ("ok", "4096", "100"), "ok 4096 100"),
    Line("r", ("1", "started", "a", "b"), "1 started a b"),
    Output(7, "o", 10, b"\nab\nc"),
    Output(7, "e", 0, b"xy"),
    Line("x", ("7", "0", "gone"), "7 0 gone"),
]


@given(st.lists(st.integers(1, len(SAID) - 1)))
def test_it_does_not_matter_how_it_is_cut(cuts: list[int]) -> None:
    """The same lines and the same bytes, whatever comes at a time."""
    decoder, heard = Decoder("cafe"), list[Message]()
    edges = [0, *sorted(set(cuts)), len(SAID)]
    for begin, end in pairwise(edges):
        heard += decoder.feed(SAID[begin:end])
    joined: list[Message] = []
    for each in heard:
        last = joined[-1] if joined else None
        if isinstance(each, Output) and isinstance(last, Output) and each.stream == last.stream:
            assert each.offset == last.offset + len(last.data)
            joined[-1] = Output(last.life, last.stream, last.offset, last.data + each.data)
        else:
            joined.append(each)
    assert joined == MEANT


def test_what_is_no_post_is_noticed() -> None:
    """Before the greeting anything may come; after it, lines have an end and a sense."""
    decoder = Decoder("cafe")
    assert list(decoder.feed(b"x" * 1_000_000)) == []
    assert len(decoder._rest) < 100_000
    assert [
        each.verb for each in decoder.feed(b"\nasynctask-node cafe no busy\n") if isinstance(each, Line)
    ] == ["hello"]
    with pytest.raises(ManagerError, match="a line from the node has no end"):
        list(decoder.feed(b"x" * 100_000))
    with pytest.raises(ManagerError, match="not understood from the node"):
        list(Decoder("").feed(b"asynctask-node  ok\no 1 o nonsense\n"))


def test_all_bytes_come_through_printf() -> None:
    """As the shell of a node makes bytes of a payload again; each line has one end."""
    data = bytes(range(256)) + b"%s\\n -x"
    line = order("in", 1, 2, data=data)
    assert line.count(b"\n") == 2
    assert line.startswith(b"in 1 2 @\n")
    done = subprocess.run(["sh", "-c", f"printf '{payload(data)}'"], capture_output=True, check=True)
    assert done.stdout == data


def test_places_need_no_quotes() -> None:
    """Different names stay different."""
    assert [place_of(name) for name in ("web-1_A", "a b", "a%20b", "../x", "\udcff")] == [
        "web-1_A",
        "a%20b",
        "a%2520b",
        "%2E%2E%2Fx",
        "%FF",
    ]
