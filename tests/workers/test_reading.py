"""Tests of asynctask.workers.reading."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.errors import UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.task import Task
from asynctask.workers.base import Sink
from tests.support import OK, Scripted, for_ever, greet, turns


async def _play(node: str, sink: Sink) -> Ended:
    """Four nodes: two print the same, one fails, one does not end by itself."""
    sink.started()
    if node == "slow":
        sink.data("stdout", b"half")
        await asyncio.Event().wait()
    sink.data("stdout", b"same\n" if node != "c" else b"other\nlines\n")
    if node == "c":
        sink.data("stderr", b"oops\n")
        return Ended(Outcome.FAILED, rc=3)
    return OK


def _worker(**settings: Any) -> Scripted:
    return Scripted(_play, ["a", "c", "slow", "b"], **{"stderr": True, "timeout": 0.01, **settings})


async def _ran(**settings: Any) -> Scripted:
    task = Task()
    worker = _worker(**settings)
    task.schedule(worker)
    await task.run()
    return worker


def _pairs(found: Any) -> list[tuple[Any, list[str]]]:
    return [(bytes(message), nodes) for message, nodes in found]


# -- before -----------------------------------------------------------------------------------------


def test_before_it_is_scheduled_there_is_nothing() -> None:
    """Neither results nor errors, but nobody has an exit status."""
    worker = _worker()
    assert (worker.results(), worker.read(), worker.read("a"), worker.retcode()) == ([], None, None, None)
    assert (worker.node_buffer("a"), worker.node_error("a"), worker.node_error_buffer("a")) == (b"", b"", b"")
    iterators = (
        worker.iter_buffers(),
        worker.iter_errors(),
        worker.iter_retcodes(),
        worker.iter_node_buffers(),
        worker.iter_node_errors(),
        worker.iter_node_retcodes(),
        worker.iter_keys_timeout(),
    )
    assert [list(found) for found in iterators] == [[]] * 7
    assert (worker.num_timeout(), worker.did_timeout()) == (0, False)
    worker.flush_buffers()
    worker.flush_errors()
    for retcode in (worker.node_retcode, worker.node_rc):
        with pytest.raises(KeyError, match=r"^'a'$"):
            retcode("a")


def test_when_it_is_scheduled_its_nodes_are_known() -> None:
    """They have nothing yet."""
    worker = _worker()
    Task().schedule(worker)
    assert (worker.results(), worker.node_retcode("a"), worker.read("a"), worker.retcode()) == (
        [],
        None,
        None,
        None,
    )
    with pytest.raises(KeyError, match=r"^'nobody'$"):
        worker.node_retcode("nobody")


# -- during -----------------------------------------------------------------------------------------


async def test_while_it_runs_the_getters_show_what_there_is() -> None:
    """Output of a node that still runs, and the results of those that are over."""
    worker = _worker(timeout=None)
    task = Task()
    task.schedule(worker)
    running = asyncio.create_task(task.run())
    while len(worker.results()) < 3:
        await turns(1)
    assert [result.node for result in worker.results()] == ["a", "c", "b"]
    assert (worker.read("slow"), worker.node_retcode("slow")) == (b"half", None)
    assert list(worker.iter_node_retcodes()) == [("a", 0), ("c", 3), ("b", 0)]
    task.abort()
    await running
    assert [result.node for result in worker.results()] == ["a", "c", "slow", "b"]


# -- after ------------------------------------------------------------------------------------------


async def test_results_come_in_the_order_of_the_nodes() -> None:
    """One for each."""
    worker = await _ran()
    assert [(result.node, result.outcome) for result in worker.results()] == [
        ("a", Outcome.OK),
        ("c", Outcome.FAILED),
        ("slow", Outcome.TIMED_OUT),
        ("b", Outcome.OK),
    ]


async def test_output_of_one_node() -> None:
    """Without the last newline; what is not there is ``None`` to ``read``, and nothing to the others."""
    worker = await _ran()
    assert (worker.read("c"), worker.node_buffer("c")) == (b"other\nlines", b"other\nlines")
    assert (worker.read("c", "stderr"), worker.node_error("c"), worker.node_error_buffer("c")) == (
        b"oops",
        b"oops",
        b"oops",
    )
    assert (worker.read("a", "stderr"), worker.node_error("a")) == (None, b"")
    assert worker.read("a", sname="console") is None
    assert worker.node_buffer("nobody") == b""


async def test_reading_a_node_that_is_none_of_its() -> None:
    """It would never have printed."""
    worker = await _ran()
    for sname in ("stdout", "stderr", "console"):
        with pytest.raises(KeyError, match=r"^'nobody'$"):
            worker.read("nobody", sname)


async def test_a_single_node_need_not_be_named() -> None:
    """With several it has to be."""
    worker = Scripted(greet, ["a"])
    task = Task()
    task.schedule(worker)
    await task.run()
    assert (worker.read(), worker.read(sname="stderr"), worker.retcode()) == (b"I am a", None, 0)
    several = await _ran()
    with pytest.raises(UsageError, match=r"^the worker has 4 nodes: say whose output to read$"):
        several.read()


async def test_exit_statuses() -> None:
    """Of a node, of all, and the largest."""
    worker = await _ran()
    assert (worker.node_retcode("c"), worker.node_rc("a"), worker.node_retcode("slow")) == (3, 0, None)
    assert list(worker.iter_retcodes()) == [(0, ["a", "b"]), (3, ["c"])]
    assert list(worker.iter_retcodes(["b", "c"])) == [(3, ["c"]), (0, ["b"])]
    assert list(worker.iter_node_retcodes()) == [("a", 0), ("c", 3), ("b", 0)]
    assert worker.retcode() == 3


async def test_outputs_with_their_nodes() -> None:
    """By first node; node by node the same."""
    worker = await _ran()
    assert _pairs(worker.iter_buffers()) == [
        (b"same", ["a", "b"]),
        (b"other\nlines", ["c"]),
        (b"half", ["slow"]),
    ]
    assert _pairs(worker.iter_buffers(["b", "slow"])) == [(b"half", ["slow"]), (b"same", ["b"])]
    assert list(worker.iter_node_buffers()) == [
        ("a", b"same"),
        ("b", b"same"),
        ("c", b"other\nlines"),
        ("slow", b"half"),
    ]
    assert list(worker.iter_node_buffers(["c"])) == [("c", b"other\nlines")]
    assert _pairs(worker.iter_errors()) == [(b"oops", ["c"])]
    assert list(worker.iter_node_errors()) == [("c", b"oops")]
    assert (_pairs(worker.iter_errors(["a"])), list(worker.iter_node_errors([]))) == ([], [])


async def test_timeouts() -> None:
    """How many, which, and whether."""
    worker = await _ran()
    assert (worker.num_timeout(), list(worker.iter_keys_timeout()), worker.did_timeout()) == (
        1,
        ["slow"],
        True,
    )


async def test_standard_error_that_is_not_kept_apart_is_empty() -> None:
    """Nor is anything there that is not gathered."""
    worker = await _ran(stderr=False)
    assert (worker.node_error("c"), list(worker.iter_errors())) == (b"", [])
    worker = await _ran(gather=False)
    assert (worker.read("a"), list(worker.iter_buffers()), worker.retcode()) == (None, [], 3)


async def test_output_can_be_forgotten() -> None:
    """Each stream alone; results keep theirs."""
    worker = await _ran()
    worker.flush_buffers()
    assert (worker.read("c"), list(worker.iter_buffers()), worker.read("c", "stderr")) == (None, [], b"oops")
    worker.flush_errors()
    assert (worker.read("c", "stderr"), list(worker.iter_errors())) == (None, [])
    assert (worker.results()[1].stdout, worker.results()[1].stderr) == (b"other\nlines\n", b"oops\n")
    assert worker.retcode() == 3


async def test_a_worker_knows_its_own_part_alone() -> None:
    """Another one on the same nodes has its own."""
    task = Task()
    first, second = Scripted(greet, ["a", "b"]), Scripted(_play, ["b", "c"])
    for worker in (first, second):
        task.schedule(worker)
    await task.run()
    assert list(first.iter_node_buffers()) == [("a", b"I am a"), ("b", b"I am b")]
    assert list(second.iter_node_buffers()) == [("b", b"same"), ("c", b"other\nlines")]
    assert (first.retcode(), second.retcode()) == (0, 3)
    assert task.node_buffer("b") == b"I am b\nsame"


async def test_a_worker_answers_after_later_runs() -> None:
    """Its part is not replaced."""
    task = Task()
    worker = Scripted(greet, ["a"])
    task.schedule(worker)
    await task.run()
    task.schedule(Scripted(_play, ["a"]))
    await task.run()
    assert (worker.read(), task.node_buffer("a")) == (b"I am a", b"same")


async def test_a_worker_that_was_aborted_has_results() -> None:
    """Those that never started, too."""
    task = Task(fanout=1)
    worker = Scripted(for_ever, ["a", "b"])
    task.schedule(worker)
    running = asyncio.create_task(task.run())
    await turns(5)
    worker.abort()
    await running
    assert [result.outcome for result in worker.results()] == [Outcome.ABORTED, Outcome.NEVER_STARTED]
    assert (worker.retcode(), list(worker.iter_node_retcodes()), worker.did_timeout()) == (None, [], False)
