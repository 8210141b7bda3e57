"""A task against a plain model: whatever is asked of it, it is in the state in which it should be."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asynctask.errors import TaskStateError
from asynctask.outcome import Outcome
from asynctask.results import Result
from asynctask.states import TaskState
from asynctask.task import Task
from tests.stage import Stage
from tests.support import OK, Scripted, turns


class TaskMachine(RuleBasedStateMachine):
    """What is scheduled, what runs, what has ended, and the state of the task."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage()
        self.task = Task()
        self.state = TaskState.IDLE
        self.waiting: list[str] = []  # scheduled, and not begun
        self.begun: list[str] = []
        self.outcomes: dict[str, Outcome] = {}  # of the run that goes on, or of the last one
        self.number = 0
        self.running: asyncio.Task[Result] | None = None
        self.joins: list[asyncio.Task[None]] = []

    def teardown(self) -> None:
        if self.state is not TaskState.IDLE:
            self._in_loop(self.task.abort)
        for join in self.joins:
            assert join.done()
        self.loop.close()

    def _in_loop(self, call: object) -> object:
        """Call something on the loop, and let all happen that follows."""

        async def act() -> object:
            answer = call()  # type: ignore[operator]
            await turns(25)
            return answer

        return self.loop.run_until_complete(act())

    def _go_on(self) -> None:
        """What follows by itself in the model: what waits begins, and a run with nothing left ends."""
        if self.state is TaskState.RUNNING:
            self.begun += self.waiting
            self.waiting.clear()
            if not self.begun:
                self.state = TaskState.IDLE

    # -- what may be asked of it --------------------------------------------------------------------

    @rule(count=st.integers(1, 3))
    def schedule(self, count: int) -> None:
        names = [f"n{self.number + index}" for index in range(count)]
        self.number += count
        self._in_loop(lambda: self.task.schedule(Scripted(self.stage.play, names)))
        self.waiting += names
        self._go_on()

    @rule()
    def run(self) -> None:
        if self.state is TaskState.IDLE:
            self.outcomes = {}
            self.state = TaskState.RUNNING
            self._go_on()
            self.running = self.loop.create_task(self.task.run())
            self._in_loop(lambda: None)
        else:
            with pytest.raises(TaskStateError):
                self.loop.run_until_complete(self.task.run())

    @rule()
    def suspend(self) -> None:
        assert self._in_loop(self.task.suspend) is (self.state is TaskState.RUNNING)
        if self.state is TaskState.RUNNING:
            self.state = TaskState.SUSPENDED

    @precondition(lambda self: self.state is not TaskState.IDLE)
    @rule()
    def resume(self) -> None:
        if self.state is TaskState.SUSPENDED:
            self.loop.run_until_complete(self.task.resume())
            self.state = TaskState.RUNNING
            self._in_loop(lambda: None)
            self._go_on()
        else:
            with pytest.raises(TaskStateError):
                self.loop.run_until_complete(self.task.resume())

    @precondition(lambda self: self.begun)
    @rule(which=st.integers(0, 100))
    def end_one(self, which: int) -> None:
        name = self.begun.pop(which % len(self.begun))
        self._in_loop(lambda: self.stage.running[name].set_result(OK))
        self.outcomes[name] = Outcome.OK
        self._go_on()

    @rule()
    def abort(self) -> None:
        self._in_loop(self.task.abort)
        if self.state is not TaskState.IDLE:
            self.outcomes |= dict.fromkeys(self.begun, Outcome.ABORTED)
            self.outcomes |= dict.fromkeys(self.waiting, Outcome.NEVER_STARTED)
            self.state = TaskState.IDLE
        self.begun.clear()
        self.waiting.clear()

    @rule()
    def join(self) -> None:
        self.joins.append(self.loop.create_task(self.task.join()))
        self._in_loop(lambda: None)

    # -- what always holds --------------------------------------------------------------------------

    @invariant()
    def is_where_it_should_be(self) -> None:
        assert (self.task.state, self.task.running()) == (self.state, self.state is not TaskState.IDLE)
        idle = self.state is TaskState.IDLE
        assert self.running is None or self.running.done() is idle
        assert all(join.done() for join in self.joins) or not idle

    @invariant()
    def has_begun_what_it_should(self) -> None:
        assert sorted(self.stage.running) == sorted(self.begun)

    @invariant()
    def has_one_outcome_for_each_that_ended(self) -> None:
        results = self.task.result.all()
        assert Counter(result.node for result in results) == Counter(self.outcomes.keys())
        assert {result.node: result.outcome for result in results} == self.outcomes


TestTaskMachine = TaskMachine.TestCase
TestTaskMachine.settings = settings(max_examples=150, stateful_step_count=25)
