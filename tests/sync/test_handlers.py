"""Tests of asynctask.sync.handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from asynctask.events import Hooks
from asynctask.sync import EventHandler, ExecWorker, Task, WorkerPopen
from asynctask.sync.handlers import Adapted
from tests.sync.helpers import New, Old, Says


def _run(task: Task, handler: object, command: str = "echo out; exit 3", **settings: Any) -> ExecWorker:
    """Run a command on one node, kept apart, with a line for it to read."""
    worker = ExecWorker("n1", handler, command=command, stderr=True, **settings)
    worker.write(b"go\n")
    worker.set_write_eof()
    task.schedule(worker)
    task.run()
    return worker


# -- signatures ---------------------------------------------------------------------------------------


def test_newer_arguments(task: Task) -> None:
    """As of ClusterShell 1.8; both streams come to ev_read."""
    handler = New()
    _run(task, handler, "echo out; echo err >&2; exit 3")
    assert sorted(handler.events[2:4]) == ["read n1 stderr err", "read n1 stdout out"]
    assert handler.events[:2] + handler.events[4:] == ["start", "pickup n1", "hup n1 3", "close False"]


def test_older_arguments(task: Task) -> None:
    """The worker alone, whose attributes say the rest; standard error comes to ev_error alone."""
    handler = Old()
    _run(task, handler, "echo out; exit 3")
    _run(task, handler, "echo err >&2")
    assert handler.events == [
        "start",
        "pickup n1",
        "read n1 stdout b'out'",
        "hup n1 3",
        "close",
        "start",
        "pickup n1",
        "error n1 stderr b'err'",
        "hup n1 0",
        "close",
    ]


def test_older_handlers_hear_of_timeouts(task: Task) -> None:
    """ev_timeout comes once, before ev_close; a node that timed out has no ev_hup."""
    handler = Old()
    task.schedule(ExecWorker("n1", handler, timeout=0.05, command="sleep 60"))
    task.run()
    assert handler.events == ["start", "pickup n1", "timeout", "close"]


def test_newer_handlers_hear_of_timeouts_if_they_have_a_method_for_it(task: Task) -> None:
    """It is not in the base class any more, and still called."""
    heard: list[object] = []

    class Handler(EventHandler):
        def ev_timeout(self, worker: Any) -> None:
            heard.append(list(worker.iter_keys_timeout()))

        def ev_close(self, worker: Any, timedout: bool) -> None:
            heard.append(timedout)

    task.run("sleep 60", handler=Handler(), timeout=0.05, key="k")
    assert heard == [["k"], True]


def test_ev_error_and_then_ev_read_of_the_newer_kind(task: Task) -> None:
    """A line of standard error comes to both, in this order."""

    class Both(New):
        def ev_error(self, worker: Any) -> None:
            self.events.append(f"error {worker.current_node} {worker.current_errmsg!r}")

    handler = Both()
    _run(task, handler, "echo err >&2")
    assert handler.events[2:4] == ["error n1 b'err'", "read n1 stderr err"]


def test_ev_error_alone(task: Task) -> None:
    """It is no reason to hear standard output."""
    heard: list[object] = []
    handler = Says("ev_error", lambda worker: heard.append((worker.current_msg, worker.current_errmsg)))
    _run(task, handler, "echo out; echo err >&2")
    assert heard == [(None, b"err")]


def test_standard_error_that_is_not_kept_apart_is_output(task: Task) -> None:
    """ClusterShell's default."""
    handler = Old()
    task.schedule(ExecWorker("n1", handler, command="echo err >&2"))
    task.run()
    assert handler.events == ["start", "pickup n1", "read n1 stdout b'err'", "hup n1 0", "close"]


def _older_with_more(prefix: str, heard: list[Any], worker: Any) -> None:
    heard.append(f"{prefix} {worker.current_node} {worker.current_rc}")


METHODS: dict[str, tuple[Callable[[list[Any]], object], object]] = {
    "older": (lambda heard: lambda worker: heard.append(worker.current_rc), 3),
    "older, with a keyword": (lambda heard: lambda worker, *, log=1: heard.append(log), 1),
    "older, bound beforehand": (lambda heard: partial(_older_with_more, "hup", heard), "hup n1 3"),
    "newer": (lambda heard: lambda worker, node, rc: heard.append((node, rc)), ("n1", 3)),
    "newer, with defaults": (lambda heard: lambda worker, node="", rc=0: heard.append((node, rc)), ("n1", 3)),
    "any": (lambda heard: lambda *args: heard.append(args[1:]), ("n1", 3)),
    "any but the first": (lambda heard: lambda worker, *args: heard.append(args), ("n1", 3)),
    "a mock": (lambda heard: Mock(side_effect=lambda *args: heard.append(args[1:])), ("n1", 3)),
}


@pytest.mark.parametrize("kind", METHODS)
def test_what_a_method_takes_says_of_what_kind_it_is(task: Task, kind: str) -> None:
    """One argument: the older. Two or more, or any number, with defaults or without: the newer."""
    make, expected = METHODS[kind]
    heard: list[Any] = []
    _run(task, SimpleNamespace(ev_hup=make(heard)))
    assert heard == [expected]


def test_the_kinds_may_be_mixed_in_one_handler(task: Task) -> None:
    """Each method is looked at by itself."""
    heard: list[Any] = []
    handler = SimpleNamespace(
        ev_pickup=lambda worker, node: heard.append(node),
        ev_read=lambda worker: heard.append(worker.current_msg),
        ev_close=lambda worker, timedout: heard.append(timedout),
    )
    _run(task, handler)
    assert heard == ["n1", b"out", False]


def test_a_method_that_cannot_be_looked_at_has_the_newer_arguments(task: Task) -> None:
    """Something built in."""
    handler = SimpleNamespace(ev_hup=min)
    assert Hooks(Adapted(handler, WorkerPopen("true"))).hup is not None
    with pytest.raises(TypeError, match="'<' not supported") as caught:
        _run(task, handler)
    assert caught.value.__notes__ == ["raised in ev_hup for n1"]


# -- what there is to hear -------------------------------------------------------------------------------


def test_a_handler_hears_what_it_has_a_method_for_and_nothing_else_is_delivered() -> None:
    """An event that nobody listens to costs nothing."""
    hooks = Hooks(Adapted(EventHandler(), WorkerPopen("true")))
    assert (hooks.wants_node_events, hooks.wants_output, hooks.close, hooks.timeout) == (
        False,
        False,
        None,
        None,
    )


def test_no_handler(task: Task) -> None:
    """The run goes its way."""
    worker = _run(task, None)
    assert (worker.node_buffer("n1"), worker.node_retcode("n1")) == (b"out", 3)


def test_handlers_get_the_worker_of_the_facade(task: Task) -> None:
    """The one that was scheduled, in every event."""
    seen: list[Any] = []
    names = ("start", "pickup", "read", "written", "hup", "end", "close")
    handler = SimpleNamespace(
        **{f"ev_{name}": lambda worker, *args, name=name: seen.append((name, worker)) for name in names}
    )
    worker = _run(task, handler, "read line; echo $line")
    assert [name for name, _ in seen] == ["start", "pickup", "written", "read", "hup", "end", "close"]
    assert all(each is worker for _, each in seen)


def test_attributes_are_about_the_event(task: Task) -> None:
    """What it does not tell is None."""
    seen: list[Any] = []

    def look(worker: Any, *_: object) -> None:
        seen.append(
            (
                worker.current_node,
                worker.current_sname,
                worker.current_msg,
                worker.current_errmsg,
                worker.current_rc,
            )
        )

    names = ("pickup", "written", "read", "hup", "end")
    _run(task, SimpleNamespace(**{f"ev_{name}": look for name in names}), "read line; echo $line >&2; exit 4")
    assert seen == [
        ("n1", None, None, None, None),
        ("n1", "stdin", None, None, None),
        ("n1", "stderr", None, b"go", None),
        ("n1", None, None, None, 4),
        ("n1", None, None, None, 4),
    ]


def test_a_command_without_nodes_has_no_current_node(task: Task) -> None:
    """As in ClusterShell; newer arguments have its key."""
    old, new = Old(), New()
    task.shell("echo out", key="k", handler=old)
    task.run()
    task.shell("echo out", key="k", handler=new)
    task.run()
    assert old.events == ["start", "pickup None", "read None stdout b'out'", "hup None 0", "close"]
    assert new.events == ["start", "pickup k", "read k stdout out", "hup k 0", "close False"]


def test_input_that_was_not_taken(task: Task) -> None:
    """asynctask's own event, with the façade's worker and its attributes."""
    heard: list[Any] = []

    def ev_unwritten(worker: Any, node: str, sname: str, size: int) -> None:
        heard.append((worker.current_node, node, worker.current_sname, sname))
        sizes.append(size)
        worker.abort()

    sizes: list[int] = []  # what the pipe took before the command had closed it, and the rest
    handler = SimpleNamespace(ev_unwritten=ev_unwritten, ev_written=lambda *args: sizes.append(args[3]))
    worker = ExecWorker("n1", handler, command="exec sleep 60 <&-")
    worker.write(b"x" * 1_000_000)
    task.schedule(worker)
    task.run()
    assert (heard, sum(sizes)) == ([("n1", "n1", "stdin", "stdin")], 1_000_000)


def test_how_each_node_ended(task: Task) -> None:
    """asynctask's own event, for every node, also those that ClusterShell has no word for."""
    heard: list[str] = []
    handler = Says(
        "ev_end", lambda worker, node, result: heard.append(f"{node} {result.outcome} {worker.current_rc}")
    )
    task.schedule(ExecWorker("n[1-2]", handler, timeout=0.05, command="test %n = 0 && exit 3; exec sleep 60"))
    task.run()
    assert heard == ["n1 failed 3", "n2 timed out None"]


def test_methods_may_be_async(task: Task) -> None:
    """They are awaited on the task's loop; those of one node one after the other."""
    heard: list[str] = []

    class Handler:
        async def ev_read(self, worker: Any, node: str, sname: str, msg: bytes) -> None:
            heard.append("before")
            await asyncio.sleep(0)
            heard.append(msg.decode())

        async def ev_hup(self, worker: Any) -> None:
            rc = worker.current_rc
            await asyncio.sleep(0)
            heard.append(f"hup {rc}")

    _run(task, Handler(), "echo 1; echo 2")
    assert heard == ["before", "1", "before", "2", "hup 0"]


@pytest.mark.parametrize("older", [True, False])
def test_an_async_ev_error_is_awaited_before_ev_read(task: Task, older: bool) -> None:
    """Standard error has two events where ev_read is of the newer kind."""
    heard: list[str] = []

    class Handler:
        async def ev_error(self, worker: Any) -> None:
            await asyncio.sleep(0)
            heard.append(f"error {worker.current_errmsg!r}")

    handler: Any = Handler()
    if older:
        handler.ev_read = lambda worker: heard.append("never")
    else:
        handler.ev_read = lambda worker, node, sname, msg: heard.append(f"read {sname} {msg!r}")
    _run(task, handler, "echo err >&2")
    assert heard == ["error b'err'"] + ([] if older else ["read stderr b'err'"])
