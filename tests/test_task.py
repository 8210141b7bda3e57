"""Tests of asynctask.task: what can be scheduled, what cannot, and the results of runs."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Sequence
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

import asynctask
from asynctask.errors import EmptyTargetsError, NodeSetError, TaskStateError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.ssh.pool import ConnectionPool
from asynctask.states import TaskState
from asynctask.task import Task, copy, rcopy
from asynctask.workers.base import Sink
from asynctask.workers.exec import ExecWorker
from asynctask.workers.resources import Resources
from asynctask.workers.ssh import SSHWorker
from tests.support import OK, Recorder, Scripted, for_ever, greet, refused, turns

# -- what a command becomes ---------------------------------------------------------------------------


def test_a_command_on_nodes_goes_by_ssh() -> None:
    """That is what the library is for."""
    worker = Task().shell("uptime", nodes="web[1-3]")
    assert type(worker) is SSHWorker
    assert (worker.command, worker.nodes) == ("uptime", ("web1", "web2", "web3"))


def test_a_command_without_nodes_runs_once_on_this_machine() -> None:
    """As it is, without placeholders; its key is the name of the target."""
    worker = Task(worker="ssh").shell("date +%H")
    assert (type(worker), worker.nodes) == (ExecWorker, ("localhost",))
    assert Task().shell("true", key="build").nodes == ("build",)


def test_settings_of_the_task_are_defaults_for_its_workers() -> None:
    """What a command says itself counts."""
    handler = Recorder()
    task = Task(worker="exec", timeout=5, grace=1, stderr=True, gather=False, handler=handler)
    worker = task.shell("true", nodes="a")
    assert (type(worker), worker.timeout, worker.grace.seconds) == (ExecWorker, 5, 1)
    assert (worker.stderr, worker.gather, worker.handler) == (True, False, handler)
    own = task.shell("true", nodes="a", timeout=None, grace=2, stderr=False, gather=True, handler=None)
    assert (own.timeout, own.grace.seconds, own.stderr, own.gather, own.handler) == (
        None,
        2,
        False,
        True,
        None,
    )


def test_the_fanout_of_the_task_is_not_the_workers_own() -> None:
    """Else each worker would have one for itself."""
    task = Task(fanout=3)
    assert task.shell("true", nodes="a").fanout is None
    assert task.shell("true", nodes="a", fanout=2).fanout == 2


def test_a_workers_class_may_have_settings_of_its_own() -> None:
    """They go into ``options``."""
    worker = Task().shell("scripted", nodes="a", worker=Named, options={"colour": "red"})
    assert isinstance(worker, Named)
    assert worker.colour == "red"


class Named(Scripted):
    """A worker that a task can make."""

    def __init__(self, command: str, nodes: Any, *, colour: str = "", **settings: Any) -> None:
        super().__init__(greet, nodes, **settings)
        self.colour = colour


@pytest.mark.parametrize(
    ("nodes", "expanded"),
    [
        ("b,a", ["b", "a"]),
        ("n[1-3,7]", ["n1", "n2", "n3", "n7"]),
        (["b[1-2]", "a"], ["b1", "b2", "a"]),
        (("x", "x", "y"), ["x", "y"]),
    ],
)
def test_nodes_keep_the_order_given(nodes: Any, expanded: list[str]) -> None:
    """And each counts once."""
    assert list(Task().shell("true", nodes=nodes).nodes) == expanded


# -- bad input: one clear message, and nothing is scheduled ---------------------------------------------

EMPTY = "the set of targets is empty{}: name a node, nothing runs without one"
SECONDS = "a number of seconds, 0 or more, or None for no limit"


@pytest.mark.parametrize(
    ("error", "message", "settings"),
    [
        (EmptyTargetsError, EMPTY.format(""), {"nodes": ""}),
        (EmptyTargetsError, EMPTY.format(""), {"nodes": []}),
        (EmptyTargetsError, EMPTY.format(""), {"nodes": None}),
        (EmptyTargetsError, EMPTY.format(""), {"nodes": asynctask.NodeSet()}),
        (EmptyTargetsError, EMPTY.format(" ('a!a')"), {"nodes": "a!a"}),
        (NodeSetError, "nodes: a node set or an iterable of node sets is needed, got 5", {"nodes": 5}),
        (NodeSetError, "nodes: every item must be a node set, got None", {"nodes": ["a", None]}),
        (UsageError, f"timeout=-1: {SECONDS}", {"timeout": -1}),
        (UsageError, f"timeout=nan: {SECONDS}", {"timeout": math.nan}),
        (UsageError, f"timeout='5': {SECONDS}", {"timeout": "5"}),
        (UsageError, f"timeout=True: {SECONDS}", {"timeout": True}),
        (UsageError, f"connect_timeout=-1: {SECONDS}", {"connect_timeout": -1}),
        (UsageError, "grace=None: a number of seconds, 0 or more", {"grace": None}),
        (UsageError, "grace=inf: a number of seconds, 0 or more", {"grace": math.inf}),
        (UsageError, "fanout=0: how many nodes run at once, 1 or more", {"fanout": 0}),
        (UsageError, "fanout='8': how many nodes run at once, 1 or more", {"fanout": "8"}),
        (
            UsageError,
            "unknown worker 'rsh': choose one of exec, openssh, ssh, or give a class",
            {"worker": "rsh"},
        ),
        (UsageError, "worker=5: a name or a subclass of asynctask.Worker", {"worker": 5}),
        (UsageError, "key= names the target of a command without nodes=; give one of them", {"key": "a"}),
        (UsageError, "ssh= is of no use to the worker 'exec'", {"ssh": asynctask.SSHOptions()}),
        (TypeError, "unknown settings for a command: handlr, nodez", {"handlr": 1, "nodez": 2}),
        (TypeError, "SimpleNamespace.ev_read is not callable", {"handler": SimpleNamespace(ev_read=1)}),
    ],
)
def test_a_setting_that_can_never_work(
    error: type[Exception], message: str, settings: dict[str, Any]
) -> None:
    """The whole message, from the call itself, and the task is as it was."""
    task = Task()
    refused(error, message, lambda: task.shell("true", **{"nodes": "a", "worker": "exec", **settings}))
    assert (task._prepared is None or task._prepared._open_jobs == 0, task.state) == (True, TaskState.IDLE)


@pytest.mark.parametrize("nodes", ["web[1-", "web[", "web[1-3]]", "@", "a,,b"])
def test_a_node_set_that_cannot_be_parsed(nodes: str) -> None:
    """The message has the node set."""
    with pytest.raises(NodeSetError) as caught:
        Task().shell("true", nodes=nodes)
    assert repr(nodes) in str(caught.value) or nodes in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "kind"), [(None, "NoneType"), (5, "int"), (b"true", "bytes"), (["ls", "-l"], "list")]
)
def test_a_command_of_another_type(command: Any, kind: str) -> None:
    """It says what a command is."""
    message = f"a command is text for a shell, not {kind}: {command!r}"
    refused(UsageError, message, lambda: Task().shell(command, nodes="a"))


@pytest.mark.parametrize("command", ["", "  \n"])
def test_no_command(command: str) -> None:
    """There is nothing to run."""
    refused(UsageError, f"no command to run: {command!r}", lambda: Task().shell(command, nodes="a"))


@pytest.mark.parametrize("worker", ["ssh", Scripted])
def test_a_worker_without_nodes(worker: Any) -> None:
    """Nothing would say where to, and what was asked for is not replaced by a local command."""
    refused(UsageError, f"worker={worker!r} needs nodes=", lambda: Task().shell("true", worker=worker))


def test_a_local_worker_of_ones_own_without_nodes() -> None:
    """It is taken."""

    class Mine(ExecWorker):
        pass

    assert type(Task().shell("true", worker=Mine)) is Mine


@pytest.mark.parametrize(
    ("error", "message", "settings"),
    [
        (UsageError, "fanout=0: how many nodes run at once, 1 or more", {"fanout": 0}),
        (UsageError, "fanout=None: how many nodes run at once, 1 or more", {"fanout": None}),
        (UsageError, f"timeout=-1: {SECONDS}", {"timeout": -1}),
        (UsageError, f"connect_timeout='x': {SECONDS}", {"connect_timeout": "x"}),
        (UsageError, "grace=-1: a number of seconds, 0 or more", {"grace": -1}),
        (TypeError, "unknown settings for a task: nodes", {"nodes": "a"}),
    ],
)
def test_a_task_that_can_never_work(error: type[Exception], message: str, settings: dict[str, Any]) -> None:
    """The same messages at its making."""
    refused(error, message, lambda: Task(**settings))


@pytest.mark.parametrize("timeout", [-1, math.nan, "5", True])
async def test_a_run_with_no_time_at_all(timeout: Any) -> None:
    """The name of the keyword is the one that the caller wrote; nothing runs."""
    message = f"={timeout!r}: {SECONDS}"
    stage = Recorder()
    async with Task() as task:
        task.schedule(Scripted(greet, ["a"], handler=stage))
        with pytest.raises(UsageError) as caught:
            await task.run(timeout)
        assert str(caught.value) == "timeout" + message
        refused(UsageError, "timeout" + message, lambda: task.as_completed(timeout))
        assert (task.state, stage.events) == (TaskState.IDLE, [])
    with pytest.raises(UsageError) as caught:
        await asynctask.run("true", deadline=timeout)
    assert str(caught.value) == "deadline" + message
    refused(UsageError, "deadline" + message, lambda: asynctask.stream("true", deadline=timeout))


@pytest.mark.parametrize("fanout", [0, -1, 1.5, "4", None])
async def test_a_fanout_that_starts_nothing_changes_nothing(fanout: Any) -> None:
    """The old one stays."""
    task = Task(fanout=7)
    with pytest.raises(UsageError) as caught:
        task.fanout = fanout
    assert str(caught.value) == f"fanout={fanout!r}: how many nodes run at once, 1 or more"
    assert task.fanout == 7


# -- runs -------------------------------------------------------------------------------------------------


async def test_a_run_of_nothing() -> None:
    """It returns at once."""
    result = await Task().run()
    assert (list(result), result.ok) == ([], True)


async def test_a_second_run_leaves_the_first_result_as_it_was() -> None:
    """Each run has a result of its own; the task has the last."""
    task = Task()
    task.schedule(Scripted(greet, ["a", "b"]))
    first = await task.run()
    before = (list(first), first.summary(), [bytes(m) for m, _ in first.iter_buffers()])
    task.schedule(Scripted(greet, ["b", "c"]))
    second = await task.run()
    assert (list(first), first.summary(), [bytes(m) for m, _ in first.iter_buffers()]) == before
    assert list(second) == ["b", "c"]
    assert task.result is second
    assert task.node_buffer("c") == b"I am c"
    assert task.node_buffer("a") == b""


async def test_the_getters_of_a_task_show_what_there_is_so_far() -> None:
    """While it runs."""
    task = Task()
    task.schedule(Scripted(greet, ["a"]))
    task.schedule(Scripted(for_ever, ["b"]))
    running = asyncio.create_task(task.run())
    await turns(8)
    assert task.node_buffer("a") == b"I am a"
    assert (task.node_retcode("a"), task.node_retcode("b"), task.max_retcode()) == (0, None, 0)
    task.abort()
    await running


async def test_many_commands_with_one_key() -> None:
    """Each has its part; the mapping has the last, buffers follow each other."""
    task = Task()
    for word in ("one", "two", "one"):
        task.shell(f"echo {word}", key="k")
    result = await task.run()
    assert [part.stdout for part in result.all()] == [b"one\n", b"two\n", b"one\n"]
    assert (len(result), result.node_buffer("k")) == (1, b"one\ntwo\none")


async def test_aborting_a_task_that_does_not_run_forgets_what_was_scheduled() -> None:
    """And more can be scheduled."""
    task = Task()
    task.schedule(Scripted(greet, ["forgotten"]))
    task.abort()
    task.schedule(Scripted(greet, ["a"]))
    assert list(await task.run()) == ["a"]


async def test_aborting_twice_is_aborting_once() -> None:
    """The second changes nothing."""
    handler = Recorder()
    task = Task()
    task.schedule(Scripted(for_ever, ["a"], handler=handler))
    running = asyncio.create_task(task.run())
    await turns(5)
    task.abort()
    task.abort()
    result = await running
    task.abort()
    assert result["a"].outcome is Outcome.ABORTED
    assert handler.events == ["start", "pickup a", "end a aborted", "close False"]


async def test_leaving_the_block_stops_what_runs() -> None:
    """And waits until it is gone."""
    async with Task() as task:
        task.schedule(Scripted(for_ever, ["a"]))
        running = asyncio.create_task(task.run())
        await turns(5)
    assert running.done()
    assert task.result["a"].outcome is Outcome.ABORTED


async def test_a_block_that_raises_stops_what_runs_and_raises() -> None:
    """Its own error, not what became of the run."""
    task = Task()
    with pytest.raises(ZeroDivisionError):
        await _leave_with_an_error(task)
    assert task.result["a"].outcome is Outcome.ABORTED


async def _leave_with_an_error(task: Task) -> None:
    """While a run goes on in the background whose handler raises."""
    async with task:
        task.schedule(Scripted(for_ever, ["a"], handler=SimpleNamespace(ev_end=lambda: None)))
        with suppress(TimeoutError):
            await asyncio.wait_for(anext(task.as_completed()), 0.01)
        raise ZeroDivisionError


def test_the_repr_says_state_and_fanout() -> None:
    """No commands."""
    assert repr(Task(fanout=5)) == "<Task idle, fanout 5>"


def test_the_same_keywords_everywhere() -> None:
    """``run``, ``stream`` and ``Task.shell`` take the same ones, and so do the copies."""
    for function in (asynctask.run, asynctask.stream):
        own = set(inspect.signature(function).parameters) - {"settings"}
        assert own == {"command", "deadline", "pool"}
    for copies in (copy, rcopy):
        own = set(inspect.signature(copies).parameters) - {"settings"}
        assert own == {"source", "dest", "nodes", "deadline", "pool"}


# -- what its workers share -----------------------------------------------------------------------------


class _Once(Scripted):
    """Tells whether anything can come after the run, and whose connections it would use."""

    seen: ClassVar[list[tuple[bool, object]]] = []

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        self.seen.append((resources.once, resources.get(ConnectionPool, ConnectionPool)))
        return OK


class _Named(_Once):
    """The same for a command."""

    def __init__(self, command: str, nodes: Sequence[str], **settings: Any) -> None:
        super().__init__(for_ever, nodes, **settings)


async def test_nothing_comes_after_a_single_run() -> None:
    """``run`` and ``stream``, and a task without its block, which cleans up after each run."""
    _Once.seen.clear()
    await asynctask.run("x", nodes="a", worker=_Named)
    async with asynctask.stream("x", nodes="a", worker=_Named) as output:
        assert [line async for line in output] == []
    task = Task()
    task.shell("x", nodes="a", worker=_Named)
    await task.run()
    async with task:
        task.shell("x", nodes="a", worker=_Named)
        await task.run()
    assert [once for once, _ in _Once.seen] == [True, True, True, False]


async def test_a_pool_that_is_given_is_used_and_left_open() -> None:
    """By tasks, ``run`` and ``stream`` alike."""
    _Once.seen.clear()
    pool = SharedPool()
    await asynctask.run("x", nodes="a", worker=_Named, pool=pool)
    async with asynctask.stream("x", nodes="a", worker=_Named, pool=pool) as output:
        assert [line async for line in output] == []
    async with Task(pool=pool) as task:
        task.shell("x", nodes="a", worker=_Named)
        await task.run()
    assert [found is pool for _, found in _Once.seen] == [True] * 3
    assert pool.closed == 0


def test_a_pool_that_is_none() -> None:
    """It is said at the call."""
    refused(
        UsageError,
        "pool=3: an asynctask.ConnectionPool is needed",
        lambda: Task(pool=3),  # type: ignore[arg-type]
    )


class SharedPool(ConnectionPool):
    """Counts how often it is closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1
        await super().aclose()


# -- another loop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        lambda task: task.shell("true", nodes="b", worker="exec"),
        lambda task: task.timer(0, SimpleNamespace(ev_timer=print)),
        lambda task: task.abort(),
        lambda task: task.suspend(),
    ],
)
async def test_a_call_from_another_thread_while_it_runs(call: Any) -> None:
    """Nothing is changed behind the loop's back."""
    task = Task()
    task.schedule(Scripted(for_ever, ["a"]))
    running = asyncio.create_task(task.run())
    await turns(3)
    with pytest.raises(TaskStateError, match=r"^the task runs in another event loop: use loop\.call_soon"):
        await asyncio.to_thread(call, task)
    task.abort()
    assert [result.node for result in (await running).all()] == ["a"]
