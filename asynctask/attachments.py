"""The timers and ports of a run: what fires and arrives beside the workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

import anyio

from asynctask.calling import Caller, Gate
from asynctask.errors import PortClosedError
from asynctask.events import Hook, hook_of
from asynctask.port import Port
from asynctask.timer import Timer

__all__ = ("Attachments", "Owner")


class Owner(Protocol):
    """What they need of the run."""

    gate: Gate

    def spawn(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
        """Run a coroutine in the run's group."""

    def heard(self, caller: Caller, delivery: Coroutine[Any, Any, object]) -> Awaitable[bool]:
        """Deliver in the time that there is; whether it was heard to its end."""

    def give_up(self, exc: BaseException) -> None:
        """End the run, for the program ends."""

    def settle(self) -> None:
        """Look whether anything keeps the run going."""


class Attachments:
    """Timers and ports, from the start of a run, or their own, to its end.

    A timer or port whose handler raises is over: the timer is invalid, the port closed.

    Args:
        watchers: handlers that hear every timer and port of the run, besides its own.
    """

    def __init__(self, owner: Owner, watchers: list[object]) -> None:
        self._owner = owner
        self._watchers = watchers
        self._going = False
        self._stopped = False
        self._timers: dict[Timer, asyncio.TimerHandle | None] = {}
        self._firing: set[Timer] = set()
        self._ports: dict[Port, anyio.CancelScope | None] = {}
        self._callers: list[Caller] = []

    # -- what the run asks ------------------------------------------------------------------------

    def keep_going(self) -> bool:
        """Whether one of them keeps the run going."""
        return (
            bool(self._firing)
            or any(not timer.autoclose for timer in self._timers)
            or any(not port.autoclose for port in self._ports)
        )

    def are_over(self) -> bool:
        """Whether nothing is left of them."""
        return not (self._timers or self._firing or self._ports)

    def errors(self) -> list[Exception]:
        """What their handlers have raised."""
        return [exc for caller in self._callers for exc in caller.errors]

    # -- what the run tells -----------------------------------------------------------------------

    def start(self) -> None:
        """The run begins."""
        self._going = True
        for port in list(self._ports):
            self._owner.spawn(self._serve, port)
        self.arm()

    def arm(self) -> None:
        """Set the loop's timers: at the start, and when the run is not suspended any more."""
        for timer in list(self._timers):
            self._arm(timer)

    def end(self) -> None:
        """Nothing keeps the run going: what is left ends now."""
        timers, self._timers = self._timers, {}
        for timer, handle in timers.items():
            if handle is not None:
                handle.cancel()
            timer.invalidate()
        for port, scope in list(self._ports.items()):
            if port.autoclose:
                port.close()
            elif scope is not None:
                scope.cancel()

    def stop(self) -> None:
        """The run is being stopped. Ports that stay keep their messages for the next run."""
        self._stopped = True
        self.end()
        if not self._going:
            self._ports.clear()

    def add_timer(self, timer: Timer) -> None:
        """Take a timer in."""
        self._timers[timer] = None
        self._arm(timer)

    def add_port(self, port: Port) -> None:
        """Take a port with a handler in."""
        if port not in self._ports:
            self._ports[port] = None
            if self._going:
                self._owner.spawn(self._serve, port)

    # -- timers -----------------------------------------------------------------------------------

    def changed(self, timer: Timer) -> None:
        """A timer was set to another time, or is invalid."""
        if timer not in self._timers:
            return
        handle = self._timers[timer]
        if handle is not None:
            handle.cancel()
            self._timers[timer] = None
        if timer.is_valid():
            self._arm(timer)
        else:
            del self._timers[timer]
            self._owner.settle()

    def _arm(self, timer: Timer) -> None:
        if not self._going or self._owner.gate.closed or timer in self._firing or timer.due is None:
            return
        if self._timers[timer] is None:
            delay = max(0.0, timer.due - timer.now())
            self._timers[timer] = asyncio.get_running_loop().call_later(delay, self._strike, timer)

    def _strike(self, timer: Timer) -> None:
        self._timers[timer] = None
        if not self._owner.gate.closed:
            timer.strike(timer.now())
            self._firing.add(timer)
            self._owner.spawn(self._fire, timer)

    async def _fire(self, timer: Timer) -> None:
        well = await self._tell("ev_timer", timer.handler, timer)
        self._firing.discard(timer)
        if well:
            timer.fired()
        else:
            timer.invalidate()
        if timer in self._timers:
            self._arm(timer)
        self._owner.settle()

    # -- ports ------------------------------------------------------------------------------------

    async def _serve(self, port: Port) -> None:
        """Deliver what comes in, until the port is closed and empty, or the run ends."""
        well = port._announced or await self._tell("ev_port_start", port.handler, port)
        port._announced = True
        while well and (message := await self._next(port)):
            await self._owner.gate.passed()
            well = await self._tell("ev_msg", port.handler, port, message[0])
        if not well:
            port.close()
            left = port.statistics().waiting
            if left:
                self._callers[-1].errors[-1].add_note(f"{left} messages in the port were not delivered")
        del self._ports[port]
        self._owner.settle()

    async def _next(self, port: Port) -> tuple[Any] | None:
        """The next message; ``None`` at the end."""
        if self._stopped and not port.autoclose:
            return None
        message = None
        with anyio.CancelScope() as self._ports[port]:
            with suppress(PortClosedError):
                message = (await port._receive(),)
        self._ports[port] = None
        return message

    # -- both -------------------------------------------------------------------------------------

    async def _tell(self, event: str, handler: object, *args: object) -> bool:
        """Call one hook of each who listens; whether the first, whose own it is, heard it well."""
        well = True
        for listener in (handler, *self._watchers):
            hook: Hook | None = hook_of(listener, event)
            if hook is not None:
                caller = Caller(self._owner.gate, self._owner.give_up)
                heard = await self._owner.heard(caller, caller.call(event, "", hook, *args))
                if caller.errors:
                    self._callers.append(caller)
                    if listener is handler:
                        well = False
                if not heard and listener is handler:
                    well = False
        return well
