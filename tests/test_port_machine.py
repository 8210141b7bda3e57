"""A port against a plain model: whatever happens, nothing is lost, nothing comes twice, order is kept."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asynctask.errors import PortClosedError, PortFullError
from asynctask.port import Port, PortStatistics
from tests.support import turns


class PortMachine(RuleBasedStateMachine):
    """A port against lists: who waits, what is in it, who has got what."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.qlimit = 2
        self.port = Port(self.qlimit)
        self.number = 0
        self.closed = False
        self.inside: list[int] = []
        self.senders: list[tuple[int, asyncio.Task[None]]] = []  # that wait, as the model has it
        self.receivers: list[asyncio.Task[int]] = []
        self.accepted = 0
        self.got = 0
        self.ends: list[tuple[asyncio.Task[Any], object]] = []  # how each task has to have ended

    def teardown(self) -> None:
        for task in [*(task for _, task in self.senders), *self.receivers]:
            task.cancel()
        self.loop.run_until_complete(turns(5))
        self.loop.close()

    # -- the model ----------------------------------------------------------------------------------

    def _next_number(self) -> int:
        self.number += 1
        return self.number

    def _take_in(self, number: int) -> None:
        self.inside.append(number)
        self.accepted += 1
        if self.receivers:
            self.ends.append((self.receivers.pop(0), self._take_out()))

    def _take_out(self) -> int:
        self.got += 1
        number = self.inside.pop(0)
        if self.senders:
            waiting, task = self.senders.pop(0)
            self.inside.append(waiting)
            self.accepted += 1
            self.ends.append((task, None))
        return number

    def _check(self) -> None:
        """Let all run that can, then compare."""
        self.loop.run_until_complete(turns(6 + 2 * (len(self.ends) + len(self.senders))))
        for task, end in self.ends:
            assert task.done()
            if end is asyncio.CancelledError:
                assert task.cancelled()
            elif end is PortClosedError:
                assert type(task.exception()) is PortClosedError
            else:
                assert task.result() == end
        self.ends.clear()
        assert not any(task.done() for _, task in self.senders)
        assert not any(task.done() for task in self.receivers)

    # -- what may happen ----------------------------------------------------------------------------

    @rule()
    def send(self) -> None:
        number = self._next_number()
        task = self.loop.create_task(self.port.msg_send(number))
        if self.closed:
            self.ends.append((task, PortClosedError))
        elif len(self.inside) < self.qlimit:
            self.ends.append((task, None))
            self._take_in(number)
        else:
            self.senders.append((number, task))
        self._check()

    @rule()
    def send_without_waiting(self) -> None:
        number = self._next_number()

        async def send() -> type[Exception] | None:
            try:
                self.port.msg_send_nowait(number)
            except (PortClosedError, PortFullError) as exc:
                return type(exc)
            return None

        said = self.loop.run_until_complete(send())
        if self.closed:
            assert said is PortClosedError
        elif len(self.inside) == self.qlimit:
            assert said is PortFullError
        else:
            assert said is None
            self._take_in(number)
        self._check()

    @rule()
    def receive(self) -> None:
        task = self.loop.create_task(self.port.msg_recv())
        if self.inside:
            self.ends.append((task, self._take_out()))
        elif self.closed:
            self.ends.append((task, PortClosedError))
        else:
            self.receivers.append(task)
        self._check()

    @precondition(lambda self: self.senders)
    @rule(data=st.data())
    def cancel_a_sender(self, data: st.DataObject) -> None:
        _, task = self.senders.pop(data.draw(st.integers(0, len(self.senders) - 1)))
        task.cancel()
        self.ends.append((task, asyncio.CancelledError))
        self._check()

    @precondition(lambda self: self.receivers)
    @rule(data=st.data())
    def cancel_a_receiver(self, data: st.DataObject) -> None:
        task = self.receivers.pop(data.draw(st.integers(0, len(self.receivers) - 1)))
        task.cancel()
        self.ends.append((task, asyncio.CancelledError))
        self._check()

    @precondition(lambda self: self.receivers)
    @rule(first=st.booleans())
    def send_and_cancel_the_receiver_in_one_turn(self, first: bool) -> None:
        number, task = self._next_number(), self.receivers.pop(0)

        async def race() -> None:
            if first:
                task.cancel()
            self.port.msg_send_nowait(number)
            if not first:
                task.cancel()

        self.loop.run_until_complete(race())
        self.ends.append((task, asyncio.CancelledError))
        self._take_in(number)
        self._check()

    @precondition(lambda self: self.senders)
    @rule(first=st.booleans())
    def receive_and_cancel_the_sender_in_one_turn(self, first: bool) -> None:
        _, task = self.senders.pop(0)

        async def race() -> int:
            if first:
                task.cancel()
            message: int = await self.port.msg_recv()
            if not first:
                task.cancel()
            return message

        received = self.loop.run_until_complete(race())
        self.ends.append((task, asyncio.CancelledError))
        assert received == self._take_out()
        self._check()

    @precondition(lambda self: not self.closed and self.number > 3)
    @rule(often=st.booleans())
    def close(self, often: bool) -> None:
        for _ in range(1 + often):
            self.port.close()
        self.closed = True
        for task in [*(task for _, task in self.senders), *self.receivers]:
            self.ends.append((task, PortClosedError))
        self.senders.clear()
        self.receivers.clear()
        self._check()

    @invariant()
    def counters_agree(self) -> None:
        assert len(self.inside) <= self.qlimit
        assert self.port.statistics() == PortStatistics(
            qlimit=self.qlimit,
            waiting=len(self.inside),
            sent=self.accepted,
            received=self.got,
            senders=len(self.senders),
            receivers=len(self.receivers),
        )
        assert list(self.port._messages) == self.inside


TestPortMachine = PortMachine.TestCase
TestPortMachine.settings = settings(stateful_step_count=40)
