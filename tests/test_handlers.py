"""Several handlers of one worker, and ClusterShell's older ``ev_timeout``."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from asynctask.errors import HandlerErrors, UsageError
from asynctask.outcome import Ended
from asynctask.task import Task
from asynctask.workers.base import Sink, Worker
from tests.support import OK, Recorder, Scripted, for_ever, greet, refused

ALL = ["start", "pickup a", "read a stdout I am a", "hup a 0", "end a ok", "close False"]


async def test_each_of_several_handlers_hears_everything() -> None:
    """In a list or a tuple."""
    first, second = Recorder(), Recorder()
    task = Task(handler=[first])
    task.schedule(Scripted(greet, ["a"], handler=(first, second)))
    await task.run()
    assert (first.events, second.events) == (ALL, ALL)


async def test_a_handler_that_raises_is_muted_alone() -> None:
    """The other one of the same node hears all."""

    class Failing(Recorder):
        def ev_pickup(self, worker: Worker, node: str) -> None:
            raise ValueError(node)

    failing, other = Failing(), Recorder()
    task = Task()
    task.schedule(Scripted(greet, ["a"], handler=[failing, other]))
    with pytest.raises(HandlerErrors) as caught:
        await task.run()
    assert [repr(exc) for exc in caught.value.exceptions] == ["ValueError('a')"]
    assert failing.events == ["start", "end a ok", "close False"]
    assert other.events == ALL


async def test_a_slow_handler_does_not_hold_up_the_other() -> None:
    """Only the end of the worker waits for both."""
    go_on = asyncio.Event()

    class Slow(Recorder):
        async def ev_pickup(self, worker: Worker, node: str) -> None:  # type: ignore[override]
            await go_on.wait()

    slow, quick = Slow(), Recorder()
    task = Task()
    task.schedule(Scripted(greet, ["a"], handler=[slow, quick]))
    running = asyncio.create_task(task.run())
    while "end a ok" not in quick.events:
        await asyncio.sleep(0)
    assert (slow.events, quick.events) == (["start"], ALL[:-1])
    go_on.set()
    await running
    assert (slow.events[1:], quick.events) == (ALL[2:], ALL)


async def test_the_slot_of_a_node_is_free_when_all_handlers_have_its_output() -> None:
    """Not before: memory stays bounded."""
    go_on = asyncio.Event()

    class Slow(Recorder):
        async def ev_read(self, worker: Worker, node: str, sname: str, msg: bytes) -> None:  # type: ignore[override]
            await go_on.wait()

    begun: list[str] = []

    async def play(node: str, sink: Sink) -> Ended:
        begun.append(node)
        sink.started()
        sink.data("stdout", b"hi\n")
        return OK

    task = Task(fanout=1)
    task.schedule(Scripted(play, ["a", "b"], handler=[Slow(), Recorder()]))
    running = asyncio.create_task(task.run())
    for _ in range(20):
        await asyncio.sleep(0)
    assert begun == ["a"]
    go_on.set()
    assert (await running).ok
    assert begun == ["a", "b"]


@pytest.mark.parametrize(("timeout", "heard"), [(0.01, ["timeout", "close True"]), (None, ["close False"])])
async def test_ev_timeout_comes_before_ev_close(timeout: float | None, heard: list[str]) -> None:
    """Once a worker, if a node timed out, for a handler that has it."""
    events: list[str] = []

    class Old:
        def ev_timeout(self, worker: Worker) -> None:
            events.append("timeout")

        def ev_close(self, worker: Worker, timedout: bool) -> None:
            events.append(f"close {timedout}")

    task = Task()
    task.schedule(Scripted(for_ever if timeout else greet, ["a", "b"], handler=Old(), timeout=timeout))
    await task.run()
    assert events == heard


def test_a_handler_that_hears_nothing() -> None:
    """A name that is not quite an event's is a mistake that would else never be found."""

    class Misspelt:
        def ev_reed(self) -> None: ...

        def __repr__(self) -> str:
            return "<Misspelt>"

    for handler in (3, Misspelt(), [Recorder(), Misspelt()]):
        shown = handler[1] if isinstance(handler, list) else handler
        message = f"handler={shown!r}: it has no method for any event (ev_read, ev_end, ...)"
        refused(UsageError, message, partial(Task().shell, "true", nodes="a", handler=handler))
