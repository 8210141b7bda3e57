"""A manager against a plain model: whatever is asked of it, and in which moment, its counts are exact."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager import Backoff, Manager, ProcessState, ProcessTemplate, Readiness
from asynctask.manager.information import ProcessInfo, TemplateInfo
from asynctask.manager.launching import Ears, Order
from tests.manager.fakes import FakeLauncher, FakeProcess
from tests.support import turns

NAMES = st.sampled_from(["db", "web"])
FEW = st.integers(0, 6)
NEVER = 600.0
#: So often is looked whether everything has gone its way; it takes a few at most.
PATIENCE = 50
#: Nothing waits for a clock: what fails waits for ever, what is asked to end does so at once or when told.
SLOW = Backoff(initial=NEVER, maximum=NEVER, attempts=3)
_S = ProcessState


class Stage(FakeLauncher):
    """A launcher that notes who was alive in which place, and finds two in one."""

    def __init__(self) -> None:
        super().__init__()
        self.stubborn = False

    async def launch(self, order: Order, ears: Ears) -> FakeProcess:
        """Launch, and see to it that its place was empty."""
        if self.stubborn:
            self.plan.appendleft(FakeProcess(ignores=[signal.SIGTERM]))
        process = await super().launch(order, ears)
        others = [each for each in self.alive() if each is not process]
        if order.index is not None:
            place = (order.template.name, order.index)
            assert place not in {(each.order.template.name, each.order.index) for each in others}
        return process

    def alive(self) -> list[FakeProcess]:
        """Those of which something is left."""
        return [each for each in self.processes if not each.closed]


class ManagerMachine(RuleBasedStateMachine):
    """Calls that overlap: each is made, a few turns of the loop pass, and the next is made."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage()
        self.calls: list[asyncio.Task[Any]] = []
        self.told: dict[int, list[str]] = {}
        self.most: dict[str, int] = {}  # processes that were wanted since nothing went on
        self.wanted: dict[str, bool] = {}
        self.loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self.manager = await Manager(launcher=self.stage).__aenter__()
        self.manager.subscribe("proc", self._hear)

    def _hear(self, topic: str, message: dict[str, Any]) -> None:
        if "pid" in message:
            self.told.setdefault(message["pid"], []).append(topic.rsplit(".", 1)[1])

    def teardown(self) -> None:
        try:
            self.loop.run_until_complete(self._close())
            assert not asyncio.all_tasks(self.loop)
        finally:
            self.loop.close()

    async def _close(self) -> None:
        end = asyncio.create_task(self.manager.aclose())
        for _ in range(PATIENCE):
            await turns(10)
            self._let_go()
            if end.done() and all(call.done() for call in self.calls):
                break
        assert end.done()
        assert end.exception() is None
        assert all(call.done() for call in self.calls)
        assert self.stage.alive() == []
        assert self.manager._services is not None
        assert (self.manager._services.lives, self.manager._services.tasks) == ({}, set())
        for pid, told in self.told.items():
            assert told in WHOLE_LIVES, (pid, told)
        assert len(self.told) == len(self.stage.processes)

    def _call(self, call: Coroutine[Any, Any, Any], steps: int) -> None:
        """Make a call, and let so many turns pass."""

        async def act() -> None:
            self.calls.append(asyncio.create_task(answered(call)))
            await turns(1 + steps)

        self.loop.run_until_complete(act())

    def _let_go(self) -> None:
        """Launches and ends that were held up go on."""
        if self.stage.held is not None:
            self.stage.held.set()
            self.stage.held = None
        self.stage.stubborn = False
        for process in self.stage.alive():
            if process.signals:
                process.die(0)

    # -- what is asked of it ------------------------------------------------------------------------

    @rule(name=NAMES, count=st.integers(0, 3), order=st.integers(0, 1), steps=FEW)
    def load(self, name: str, count: int, order: int, steps: int) -> None:
        if name not in self.manager.list():
            self.wanted[name] = True
            self.most[name] = count
        self._call(self.manager.load(made(name, count, order)), steps)

    @rule(name=NAMES, steps=FEW)
    def unload(self, name: str, steps: int) -> None:
        self._wish(name, False)
        self._call(self.manager.unload(name), steps)

    @rule(name=NAMES, steps=FEW)
    def start(self, name: str, steps: int) -> None:
        self._wish(name, True)
        self._call(self.manager.start(name), steps)

    @rule(name=NAMES, steps=FEW)
    def stop(self, name: str, steps: int) -> None:
        self._wish(name, False)
        self._call(self.manager.stop(name), steps)

    @rule(name=NAMES, steps=FEW)
    def restart(self, name: str, steps: int) -> None:
        self._wish(name, True)
        self._call(self.manager.restart(name), steps)

    @rule(name=NAMES, steps=FEW)
    def reload(self, name: str, steps: int) -> None:
        self._wish(name, True)
        self._call(self.manager.reload(name), steps)

    @rule(name=NAMES, count=st.integers(0, 3), program=st.sampled_from("ab"), steps=FEW)
    def update(self, name: str, count: int, program: str, steps: int) -> None:
        if name in self.wanted:
            self.most[name] = max(self.most[name], count)
        self._call(self.manager.update(made(name, count, program=program)), steps)

    @rule(name=NAMES, count=st.sampled_from(["0", "1", "3", "+1", "-1"]), steps=FEW)
    def scale(self, name: str, count: str, steps: int) -> None:
        if name in self.manager.list():
            now = self._infos()[name].numprocesses
            self.most[name] = max(self.most[name], 3, now + 1)
        self._call(self.manager.scale(name, count), steps)

    @rule(name=NAMES, steps=FEW)
    def commit(self, name: str, steps: int) -> None:
        self._call(self.manager.commit(name), steps)

    @rule(which=st.integers(0, 20), steps=FEW)
    def stop_process(self, which: int, steps: int) -> None:
        self._call(self.manager.stop_process(self._pid(which)), steps)

    @rule(which=st.integers(0, 20), steps=FEW)
    def kill(self, which: int, steps: int) -> None:
        self._call(self.manager.kill(self._pid(which), "KILL"), steps)

    def _pid(self, which: int) -> int:
        alive = self.stage.alive()
        return alive[which % len(alive)].order.pid if alive else which

    def _infos(self) -> dict[str, TemplateInfo]:
        async def look() -> dict[str, TemplateInfo]:
            return {name: self.manager.info(name) for name in self.manager.list()}

        return self.loop.run_until_complete(look())

    def _wish(self, name: str, runs: bool) -> None:
        if name in self.wanted:
            self.wanted[name] = runs

    # -- what happens to it -------------------------------------------------------------------------

    @rule(which=st.integers(0, 20), code=st.integers(0, 1), steps=FEW)
    def one_ends(self, which: int, code: int, steps: int) -> None:
        if alive := self.stage.alive():
            alive[which % len(alive)].die(code)
        self.loop.run_until_complete(turns(steps))

    @rule(which=st.integers(0, 20), steps=FEW)
    def one_is_ready(self, which: int, steps: int) -> None:
        if alive := self.stage.alive():
            alive[which % len(alive)].ears.output("stdout", b"ready\n")
        self.loop.run_until_complete(turns(steps))

    @rule(temporary=st.booleans())
    def the_next_start_fails(self, temporary: bool) -> None:
        self.stage.plan.append(LaunchError("serve", "no such program", temporary=temporary))

    @rule()
    def starts_are_held_up(self) -> None:
        if self.stage.held is None:
            self.stage.held = asyncio.Event()

    @rule()
    def the_next_ignore_their_signal(self) -> None:
        self.stage.stubborn = True

    @rule(which=st.integers(0, 20), steps=FEW)
    def a_caller_gives_up(self, which: int, steps: int) -> None:
        if going := [call for call in self.calls if not call.done()]:
            going[which % len(going)].cancel()
        self.loop.run_until_complete(turns(steps))

    @rule()
    def everything_goes_its_way(self) -> None:
        """Then each is where the last wish has it."""
        self.loop.run_until_complete(self._settle())
        for call in self.calls:
            assert call.cancelled() or call.exception() is None
        self.calls.clear()
        alive = {process.order.pid for process in self.stage.alive()}
        shown: set[int | None] = {None}
        infos = self._infos()
        self.wanted = {name: self.wanted[name] for name in infos}
        for name, info in infos.items():
            kept = [each for each in info.processes if each.index is not None]
            assert (info.wanted, len(kept)) == (self.wanted[name], info.numprocesses)
            assert all(is_settled(each, wanted=info.wanted) for each in kept), kept
            shown |= {each.pid for each in info.processes}
            self.most[name] = info.numprocesses
        assert shown == {None, *alive}

    async def _settle(self) -> None:
        for _ in range(PATIENCE):
            self._let_go()
            for process in self.stage.alive():
                process.ears.output("stdout", b"ready\n")
            await turns(10)
            if all(call.done() for call in self.calls) and not self._is_going():
                return
        raise AssertionError([call for call in self.calls if not call.done()])

    def _is_going(self) -> bool:
        states = {each.state for name in self.manager.list() for each in self.manager.info(name).processes}
        return bool(states & {_S.STARTING, _S.STOPPING})

    # -- what always holds --------------------------------------------------------------------------

    @invariant()
    def there_are_never_too_many(self) -> None:
        """During a reload one more than there are to be, not counting those that are being stopped."""
        for name, info in self._infos().items():
            places = [each for each in info.processes if each.index is not None]
            going = [each for each in places if each.state in (_S.STARTING, _S.RUNNING) and each.pid]
            assert len(going) <= self.most[name] + 1

    @invariant()
    def lives_are_told_in_order(self) -> None:
        for told in self.told.values():
            assert any(told == whole[: len(told)] for whole in WHOLE_LIVES), told


#: Each process has one of these.
WHOLE_LIVES = [
    ["spawn", *ready, "exit", *stopped, "reap"] for ready in ([], ["ready"]) for stopped in ([], ["stop_pid"])
]


async def answered(call: Coroutine[Any, Any, Any]) -> None:
    """Make a call; that it is refused, or given up for another, is an answer, too."""
    with suppress(ManagerError):
        await call


def made(name: str, count: int, order: int = 0, program: str = "a") -> ProcessTemplate:
    """A template; those of ``db`` are not ready at once."""
    readiness = Readiness(line="ready", timeout=NEVER) if name == "db" else Readiness()
    return ProcessTemplate(
        name,
        program,
        numprocesses=count,
        order=order,
        readiness=readiness,
        graceful_timeout=NEVER,
        backoff=SLOW,
        flapping=None,
    )


def is_settled(process: ProcessInfo, *, wanted: bool) -> bool:
    """Whether a place is in a state in which it may be for long."""
    if wanted:
        return process.state in (_S.RUNNING, _S.BACKOFF, _S.FATAL, _S.EXITED, _S.STOPPED)
    return process.state is _S.STOPPED


pytestmark = pytest.mark.timeout(60)
TestManagerMachine = ManagerMachine.TestCase
TestManagerMachine.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
