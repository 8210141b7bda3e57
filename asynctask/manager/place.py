"""One place of a template: a process, and when it has ended, the next."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import anyio

from asynctask.errors import LaunchError
from asynctask.manager.deciding import Decision, End, History, decide
from asynctask.manager.information import ProcessInfo
from asynctask.manager.launching import Exit
from asynctask.manager.life import Life
from asynctask.manager.probes import wait_ready, watch_alive
from asynctask.manager.services import Services, first
from asynctask.manager.states import Happening, ProcessState, after
from asynctask.manager.template import ProcessTemplate, Readiness

if TYPE_CHECKING:
    from asynctask.manager.job import Job

__all__ = ("Place",)

#: A process may become older than its ``max_age`` by this share, so that not all are replaced at once.
_AGE_JITTER = 0.1
#: Why a process is ended that is too old; no failure.
_OLD = "it has reached its greatest age"
_AT_ONCE = Readiness()

_S, _H = ProcessState, Happening


class Place:
    """Keeps one process of a template.

    What is asked of it changes its state at once; a coroutine of its own does the rest. So a stop counts in
    any state, also while it is being started or waits to be.

    Args:
        services: of the manager.
        job: whose place it is; it is told of each new state.
        index: its number among the job's places on its node.
        node: where it runs; ``None``: here.
    """

    def __init__(self, services: Services, job: Job, index: int, node: str | None) -> None:
        self._services = services
        self._job = job
        self.index = index
        self.node = node
        self.state = _S.STOPPED
        self.life: Life | None = None
        self.restarts = 0
        self.last_exit: Exit | None = None
        self.reason: str | None = None
        self._tried: ProcessTemplate | None = None
        self._launched = 0
        self._retry_at: float | None = None
        self._history = History()
        self._stop_wished = False  # else, when it is stopping, that is our own idea
        self._then_start = False  # when it has stopped
        self._leaving = False
        self._scope: anyio.CancelScope | None = None  # what a new wish breaks off
        self._turn: object = None  # of the coroutine that counts
        self._changed = asyncio.Event()

    @property
    def _template(self) -> ProcessTemplate:
        return self._job.template

    @property
    def template_in_use(self) -> ProcessTemplate | None:
        """The template from which its process was started, or was last tried to be; none if it has ended."""
        if self.life is not None:
            return self.life.template
        return self._tried if self.state in (_S.BACKOFF, _S.FATAL) else None

    # -- wishes: they decide, and wait for nothing -----------------------------------------------------

    def start(self) -> bool:
        """Have a process run here, and tell whether that changed anything."""
        if self.state is _S.STOPPING:
            changed, self._then_start = not self._then_start, True
            return changed
        if self.state in (_S.STARTING, _S.RUNNING):
            return False
        self._history.clear()
        self._stop_wished = self._then_start = False
        waiting = self.state is _S.BACKOFF
        self._become(_H.START)
        if waiting:
            self._interrupt()
        else:
            self._turn = object()
            name = f"process {self._template.name}.{self.index}"
            self._services.spawn(self._keep(self._turn), name)
        return True

    def stop(self) -> None:
        """Have no process run here."""
        self._then_start = False
        if self.state is _S.STOPPED:
            return
        self._stop_wished = self.state in (_S.STARTING, _S.RUNNING, _S.STOPPING)
        if self.state is not _S.STOPPING:
            self._become(_H.STOP)
            self._interrupt()

    def restart(self) -> None:
        """Have the process replaced by a new one, after it has stopped."""
        if self.state in (_S.STARTING, _S.RUNNING):
            self.stop()
        self.start()

    def leave(self) -> None:
        """Let the process go on without us; nothing else is left."""
        if self.state in (_S.BACKOFF, _S.STOPPING):
            self.stop()
        elif self.state in (_S.STARTING, _S.RUNNING):
            self._leaving = True
            self._interrupt()

    def hurry(self) -> None:
        """If it is stopping: KILL is next."""
        if self.life is not None:
            self.life.hurry()

    def _interrupt(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    # -- what others see ------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until it is neither starting nor stopping. It has bounds: those of readiness and of ending."""
        while self.state in (_S.STARTING, _S.STOPPING):
            await self._changed.wait()

    async def stopped(self) -> None:
        """Wait until it is not stopping any more."""
        while self.state is _S.STOPPING:
            await self._changed.wait()

    def info(self) -> ProcessInfo:
        """How it is now."""
        life = self.life
        running = life if life is not None and life.started is not None else None
        retry_at = self._retry_at if self.state is _S.BACKOFF else None
        retry_in = None if retry_at is None else max(0.0, retry_at - self._now())
        return ProcessInfo(
            name=self._template.name,
            index=self.index,
            node=self.node,
            state=self.state,
            pid=None if running is None else running.pid,
            os_pid=None if running is None else running.os_pid,
            started=None if running is None else running.started,
            uptime=None if running is None else running.uptime,
            restarts=self.restarts,
            connected=life is None or life.connected,
            last_exit=self.last_exit,
            reason=self.reason,
            retry_in=retry_in,
        )

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    # -- the coroutine ------------------------------------------------------------

    def _become(self, happening: Happening) -> None:
        self._set(after(self.state, happening))

    def _set(self, state: ProcessState) -> None:
        before, self.state = self.state, state
        if state in (_S.STARTING, _S.RUNNING, _S.STOPPED):
            self.reason = None
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._job.place_changed(self, before)

    async def _keep(self, turn: object) -> None:
        try:
            while True:
                end = await self._one_life()
                if self._leaving:
                    self._set(_S.STOPPED)  # for us it is over, and nobody is to wait for it
                    return
                if not await self._go_on(end, turn):
                    return
        except BaseException as exc:  # the loop is being closed, or a defect: nobody may wait for us in vain
            if self._turn is turn:
                cancelled = isinstance(exc, asyncio.CancelledError)
                self.reason = f"a defect of the manager: {exc!r}"
                if not cancelled:
                    self._tell(Decision(_H.GIVE_UP, reason=self.reason))
                self._set(_S.STOPPED if cancelled else _S.FATAL)
            raise

    async def _go_on(self, end: End | None, turn: object) -> bool:
        """Do what follows from an end, and tell whether there is to be another process."""
        if end is None or self._stop_wished or self._then_start:
            again, self._then_start, self._stop_wished = self._then_start, False, False
            self._become(_H.AGAIN if again else _H.GONE)
            return again
        decision = decide(self._template, self._history, end, self._services.chance)
        self._tell(decision)
        self.reason = decision.reason or None
        self._become(decision.happening)
        if decision.happening is not _H.LATER:
            return decision.happening is _H.AGAIN
        return await self._wait_to_try_again(decision.delay, turn)

    async def _wait_to_try_again(self, delay: float, turn: object) -> bool:
        self._retry_at = self._now() + delay
        with anyio.CancelScope() as self._scope:
            await anyio.sleep(delay)
        if self._turn is not turn or self.state is _S.STOPPED:
            return False  # it was stopped, and perhaps started again by another coroutine
        self._scope = self._retry_at = None
        if self.state is _S.BACKOFF:
            self._become(_H.START)
        return True

    def _tell(self, decision: Decision) -> None:
        tell, name = self._services.publisher.process, self._template.name
        later = decision.delay if decision.happening is _H.LATER else None
        if decision.flapping:
            tell("flap", name, self.node, index=self.index, reason=decision.reason, retry_in=later)
        elif later is not None:
            tell("backoff", name, self.node, index=self.index, reason=decision.reason, retry_in=later)
        if decision.happening is _H.GIVE_UP:
            tell("fatal", name, self.node, index=self.index, reason=decision.reason)

    # -- one process ------------------------------------------------------------

    async def _one_life(self) -> End | None:
        """Run one process to its end; ``None``: none was started, because that was not wanted any more."""
        if self.state is _S.STOPPING:
            return None
        template = self._tried = self._template
        life = self.life = Life(self._services, template, self.index, self.node)
        try:
            with anyio.CancelScope() as self._scope:
                await self._services.turns.take()
                await life.launch()
            self._scope = None
            if life.started is None:
                return None
            self._launched += not life.running.found
            self.restarts = max(0, self._launched - 1)
            return await self._live(life, template)
        except LaunchError as exc:
            return End(ready=False, exit=None, time=self._now(), reason=str(exc), temporary=exc.temporary)
        except BaseException:
            if life.started is not None:
                await life.cut_off()
            raise
        finally:
            self.life = None

    async def _live(self, life: Life, template: ProcessTemplate) -> End | None:
        ready_at: float | None = None
        reason = ""
        if self.state is not _S.STOPPING and not self._leaving:
            with anyio.CancelScope() as self._scope:
                reason = await self._get_ready(life, template)
                if not reason and life.exit is None:
                    ready_at = self._now()
                    self._services.publisher.process("ready", template.name, self.node, pid=life.pid)
                    self._become(_H.READY)
                    reason = await self._watch(life, template)
            self._scope = None
        await self._services.turns.take()
        if self._leaving and life.exit is None:
            await life.leave()
            return None
        if life.exit is None:
            if self.state is not _S.STOPPING:
                self._become(_H.STOP)
                if reason != _OLD:
                    life.warn(reason)
            await life.end(self._template)
        ended = self._now()
        await life.bury(self._template)
        self.last_exit = life.exit
        return End(
            ready=ready_at is not None,
            exit=life.exit,
            time=ended,
            lived=0.0 if ready_at is None else ended - ready_at,
            reason=reason,
            asked=reason == _OLD,
        )

    async def _get_ready(self, life: Life, template: ProcessTemplate) -> str:
        """Wait until it is ready, or has ended; if it has to be ended, why."""
        if template.readiness == _AT_ONCE:
            return ""
        ready = partial(wait_ready, template, life.running, life.outlet, self.node, self.index)
        which, why = await first(life.exited, ready)
        return "" if which == 0 or why is None else f"it did not become ready: {why}"

    async def _watch(self, life: Life, template: ProcessTemplate) -> str:
        """Wait until it has ended; if it has to be ended, why."""
        most = template.max_age
        if most is not None:
            most *= 1 + _AGE_JITTER * self._services.chance()
        with anyio.move_on_after(most):
            if template.liveness is None:
                await life.exited()
                return ""
            which, why = await first(life.exited, partial(self._watch_alive, life, template))
            return "" if which == 0 else f"it does not answer: {why}"
        return _OLD

    async def _watch_alive(self, life: Life, template: ProcessTemplate) -> str:
        """Wait until it is found dead; what cannot be reached is not dead for that."""
        while True:
            why = await watch_alive(template, life.running, self.node, self.index)
            if life.connected:
                return why
