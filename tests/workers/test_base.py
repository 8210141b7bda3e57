"""Tests of asynctask.workers.base."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynctask.errors import EmptyTargetsError, UsageError
from asynctask.outcome import Ended
from asynctask.workers.base import DEFAULT_GRACE, Sink
from tests.support import OK, Scripted

SECONDS = "a number of seconds, 0 or more, or None for no limit"
FANOUT = "how many nodes run at once, 1 or more"
INPUT = "bytes, an async iterable of bytes or a function of the node"


async def _ok(node: str, sink: Sink) -> Ended:
    return OK


async def _stream(node: str) -> AsyncIterator[bytes]:
    yield node.encode()


class Stream:
    """Can be read several times."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"again"


def _worker(nodes: Any = None, **settings: Any) -> Scripted:
    return Scripted(_ok, ["a", "b"] if nodes is None else nodes, **settings)


def test_what_is_left_out_has_a_default() -> None:
    """No limits, no input, a grace of three seconds."""
    worker = _worker()
    assert (worker.nodes, worker.handler, worker.stdin, worker.fanout) == (("a", "b"), None, None, None)
    assert (worker.timeout, worker.connect_timeout, worker.grace.seconds) == (None, None, DEFAULT_GRACE)
    assert (worker.stderr, worker.gather, worker.scheduled) == (False, True, False)


def test_each_node_is_a_unit() -> None:
    """Unless the worker has one process for several."""
    assert _worker().units == [("a",), ("b",)]


def test_an_empty_set_of_targets_is_an_error() -> None:
    """It never means this machine."""
    with pytest.raises(EmptyTargetsError, match=r"^no nodes to run on: the set of targets is empty$"):
        _worker([])


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("value", [0, 0.5, 3, None])
def test_a_timeout_is_a_number_of_seconds_or_none(name: str, value: float | None) -> None:
    """Zero is one, too."""
    assert getattr(_worker(**{name: value}), name) == value


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
def test_an_infinite_timeout_is_none(name: str) -> None:
    """Who computes timeouts may say it so."""
    assert getattr(_worker(**{name: math.inf}), name) is None


@pytest.mark.parametrize("name", ["timeout", "connect_timeout"])
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, -math.inf, "5", True, b"1", [1]])
def test_what_is_no_time_is_refused(name: str, value: object) -> None:
    """The message has the name, the value and what fits."""
    with pytest.raises(UsageError) as caught:
        _worker(**{name: value})
    assert str(caught.value) == f"{name}={value!r}: {SECONDS}"


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, None, "5", True])
def test_a_grace_has_an_end(value: object) -> None:
    """Else what ignores TERM would never be killed."""
    with pytest.raises(UsageError) as caught:
        _worker(grace=value)
    assert str(caught.value) == f"grace={value!r}: a number of seconds, 0 or more"


def test_a_grace_may_be_zero() -> None:
    """KILL then comes at once."""
    assert _worker(grace=0).grace.seconds == 0


@pytest.mark.parametrize("value", [0, -1, 1.5, "5", True, math.inf])
def test_a_fanout_that_starts_nothing_is_refused(value: object) -> None:
    """ClusterShell returns at once and says nothing."""
    with pytest.raises(UsageError) as caught:
        _worker(fanout=value)
    assert str(caught.value) == f"fanout={value!r}: {FANOUT}"


async def test_input_is_the_same_bytes_for_each_node() -> None:
    """Nothing is copied."""
    worker = _worker(stdin=b"data")
    assert worker.stdin_for("a") is worker.stdin_for("b") is worker.stdin


@pytest.mark.parametrize("stdin", [_stream, lambda node: node.encode()], ids=["stream", "bytes"])
async def test_input_may_be_made_for_a_node(stdin: Any) -> None:
    """By a function that is given its name."""
    made = _worker(stdin=stdin).stdin_for("b")
    assert made is not None
    assert (made if isinstance(made, bytes) else [chunk async for chunk in made]) in (b"b", [b"b"])


async def test_a_function_may_give_a_node_no_input() -> None:
    """It then finds the end at once."""
    assert _worker(stdin=lambda node: None).stdin_for("a") is None


async def test_an_iterable_is_read_anew_for_each_node() -> None:
    """That is why an iterable may serve several and an iterator not."""
    worker = _worker(stdin=Stream())
    for node in "ab":
        made = worker.stdin_for(node)
        assert not isinstance(made, bytes)
        assert made is not None
        assert [chunk async for chunk in made] == [b"again"]


def test_an_iterator_serves_one_node_alone() -> None:
    """It can be read once."""
    stream = _stream("x")
    assert _worker(["a"], stdin=stream).stdin_for("a") is stream
    with pytest.raises(UsageError) as caught:
        _worker(["a", "b"], stdin=stream)
    assert str(caught.value) == (
        "stdin: an async iterator can be read once and there are several nodes;"
        " give bytes, or a function that makes a stream for a node"
    )


@pytest.mark.parametrize("stdin", ["text", 5, [b"x"], iter([b"x"]), Stream])
def test_what_is_no_input_is_refused_at_the_call(stdin: object) -> None:
    """Text above all: it has to be encoded. The message does not repeat it, it may be a password."""
    with pytest.raises(UsageError) as caught:
        _worker(stdin=stdin)
    assert str(caught.value) == f"stdin: {INPUT}, not {type(stdin).__name__}"


def test_a_function_that_gives_no_input_is_refused_when_it_is_called() -> None:
    """Not before: it is asked a node at a time."""
    worker = _worker(stdin=lambda node: f"text for {node}")
    with pytest.raises(UsageError) as caught:
        worker.stdin_for("a")
    assert str(caught.value) == "stdin for a: bytes or an async iterable of bytes, not str"


def test_the_repr_has_no_command() -> None:
    """Commands may hold secrets."""
    worker = _worker()
    worker.command = "login --password=secret"
    assert repr(worker) == "<Scripted 2 nodes>"
