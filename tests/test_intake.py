"""Tests of asynctask.intake: copies, and the environment, that a task takes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from asynctask.errors import TaskStateError, UsageError
from asynctask.events import EventHandler, Progress
from asynctask.outcome import Ended
from asynctask.task import Task, copy, rcopy
from asynctask.workers.base import Sink, Worker
from asynctask.workers.resources import Resources
from tests.support import OK


class Courier(Worker):
    """Tells of its progress, and copies nothing."""

    name: ClassVar[str] = "courier"

    def __init__(self, source: str, dest: str, nodes: Sequence[str], **settings: Any) -> None:
        self.reverse = settings.pop("reverse")
        super().__init__(f"{source} {dest}", nodes, **settings)

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        sink.started()
        for done in (1, 2):
            sink.progress(Progress(self.command, done, 2, int(self.reverse)))
        return OK


class Courteous(Courier):
    """What commands are given, so that copies go to :class:`Courier`."""

    copier: ClassVar[str | type[Worker] | None] = Courier


class Log(EventHandler):
    """Writes down the progress."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Progress]] = []

    def ev_progress(self, worker: Worker, node: str, progress: Progress) -> None:
        self.heard.append((node, progress))


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_task_copies(reverse: bool) -> None:
    """With its own settings, and tells of the latest progress of each node."""
    log = Log()
    async with Task(worker=Courteous, handler=log) as task:
        worker = (task.rcopy if reverse else task.copy)("from", "to", "a,b", fanout=1)
        result = await task.run()
    assert (worker.command, worker.nodes, worker.fanout, result.ok) == ("from to", ("a", "b"), 1, True)
    assert log.heard == [(node, Progress("from to", 2, 2, int(reverse))) for node in "ab"]


@pytest.mark.parametrize(("call", "reverse"), [(copy, False), (rcopy, True)])
async def test_one_call_copies(call: Any, reverse: bool) -> None:
    """And takes what a task's copy takes."""
    log = Log()
    result = await call("from", "to", nodes="a", worker=Courteous, handler=log, deadline=5)
    assert (list(result), result.ok) == (["a"], True)
    assert log.heard == [("a", Progress("from to", 2, 2, int(reverse)))]


@pytest.mark.parametrize("call", [copy, rcopy])
async def test_a_call_with_a_deadline_that_is_none(call: Any) -> None:
    """Nothing is copied."""
    with pytest.raises(UsageError, match=r"^deadline=-1: "):
        await call("from", "to", "a", worker=Courteous, deadline=-1)


async def test_a_task_that_is_closed_takes_no_copies() -> None:
    """As it takes no commands."""
    async with Task(worker=Courteous) as task:
        pass
    with pytest.raises(TaskStateError):
        task.copy("from", "to", "a")


def test_a_tasks_environment_is_for_commands_that_say_none() -> None:
    """It replaces nothing that a command says of itself."""
    task = Task(env={"A": "1"})
    assert task.shell("true").env == {"A": "1"}
    assert task.shell("true", env={"B": "2"}).env == {"B": "2"}
    assert task.shell("true", env=None).env is None
    assert Task().shell("true").env is None
