"""Tests of asynctask.ssh.dialling: over a connector that does what a test says."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from asynctask.errors import (
    AuthenticationError,
    ConnectionDroppedError,
    ConnectionFailedError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NodeError,
)
from asynctask.ssh import dialling
from asynctask.ssh.dialling import Call, Dialler, about
from asynctask.ssh.throttle import FEW, Throttle
from asynctask.waiting import Patience

ADDRESS = ("10.0.0.1", 22)
DONE: Any = SimpleNamespace()


def dropped(throttling: bool = False) -> ConnectionDroppedError:
    """A connection that was dropped."""
    exc = ConnectionDroppedError("web1", "dropped", "slow down")
    exc.throttling = throttling
    return exc


class Scripted:
    """Answers each attempt as its script says; then lets in."""

    def __init__(self, *script: NodeError | None) -> None:
        self.script = list(script)
        self.attempts = 0

    async def connect(self) -> Any:
        self.attempts += 1
        step = self.script.pop(0) if self.script else None
        if step is not None:
            raise step
        return DONE


async def dial(
    script: Scripted,
    *,
    retries: int = 8,
    throttle: Throttle | None = None,
    seconds: float | None = None,
) -> tuple[Any, Dialler]:
    """Dial once."""
    dialler = Dialler(throttle or Throttle())
    call = Call("web1", ADDRESS, None, Patience(seconds), retries)
    return await dialler.dial(call, script.connect), dialler


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No pause takes time; the attempts before which there was one."""
    attempts: list[int] = []

    def no_pause(attempt: int, chance: object) -> float:
        attempts.append(attempt)
        return 0.0

    monkeypatch.setattr(dialling, "pause_before", no_pause)
    return attempts


async def test_let_in_at_once(pauses: list[int]) -> None:
    """Nothing is tried twice."""
    script = Scripted()
    connection, dialler = await dial(script)
    assert (connection, script.attempts, dialler.retried, dialler.connecting, pauses) == (DONE, 1, 0, 0, [])


@pytest.mark.parametrize("exc", [AuthenticationError, HostKeyError, ConnectionFailedError, NodeError])
async def test_never_again(exc: type[NodeError]) -> None:
    """A login that was refused, a wrong key, a host that nobody knows: the answer would be the same."""
    script = Scripted(exc("web1", "no"))
    with pytest.raises(exc, match=r"^web1: no$"):
        await dial(script)
    assert script.attempts == 1


async def test_dropped_and_let_in(pauses: list[int]) -> None:
    """After a pause, which is another for each attempt."""
    script = Scripted(dropped(), dropped())
    connection, dialler = await dial(script)
    assert (connection, script.attempts, dialler.retried, pauses) == (DONE, 3, 2, [1, 2])
    assert dialler.throttle.limit < 64


async def test_dropped_for_no_reason_that_one_sees() -> None:
    """A few attempts: perhaps it is broken."""
    script = Scripted(*[dropped()] * 20)
    with pytest.raises(ConnectionDroppedError) as caught:
        await dial(script, retries=15)
    assert script.attempts == 1 + FEW
    assert str(caught.value) == f"web1: dropped, {1 + FEW} times; slow down"


@pytest.mark.parametrize("why", ["it says so", "it has let us in", "others do it, too"])
async def test_dropped_by_a_server_that_has_too_much_to_do(why: str) -> None:
    """As often as is allowed."""
    throttle = Throttle()
    if why == "it has let us in":
        throttle.succeeded(ADDRESS)
    elif why == "others do it, too":
        throttle.dropped("one")
        throttle.dropped("another")
    script = Scripted(*[dropped(throttling=why == "it says so") for _ in range(20)])
    with pytest.raises(ConnectionDroppedError) as caught:
        await dial(script, retries=7, throttle=throttle)
    assert script.attempts == 8
    assert str(caught.value) == "web1: dropped, 8 times; slow down"


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (2, 3)])
async def test_as_often_as_the_options_say(retries: int, attempts: int) -> None:
    """None at all, if they say so; then the number is not told."""
    script = Scripted(*[dropped()] * 20)
    with pytest.raises(ConnectionDroppedError) as caught:
        await dial(script, retries=retries)
    assert script.attempts == attempts
    assert str(caught.value) == f"web1: dropped{'' if attempts == 1 else ', 3 times'}; slow down"


async def test_refused() -> None:
    """Nobody is there."""
    script = Scripted(ConnectionRefusedByNodeError("web1", "refused"))
    with pytest.raises(ConnectionRefusedByNodeError):
        await dial(script)
    assert script.attempts == 1


async def test_refused_in_a_burst() -> None:
    """By a server that has let us in."""
    throttle = Throttle()
    throttle.succeeded(ADDRESS)
    script = Scripted(ConnectionRefusedByNodeError("web1", "refused"))
    await dial(script, throttle=throttle)
    assert script.attempts == 2


async def test_no_answer_in_time() -> None:
    """It says how long that was."""

    class Silent(Scripted):
        async def connect(self) -> Any:
            await asyncio.Event().wait()

    with pytest.raises(ConnectionFailedError) as caught:
        await dial(Silent(), seconds=0.02)
    assert str(caught.value) == "web1: no login within 0.02 s; is it up and reachable?"


async def test_no_time_left_for_another_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what became of the ones before."""
    monkeypatch.setattr(dialling, "pause_before", lambda attempt, chance: 0.0 if attempt == 1 else 60.0)
    script = Scripted(*[dropped()] * 9)
    with pytest.raises(ConnectionDroppedError) as caught:
        await dial(script, seconds=0.02)
    assert str(caught.value) == "web1: dropped, 2 times; slow down"


async def test_waiting_for_a_turn_takes_no_time() -> None:
    """The seconds are for connecting."""
    throttle = Throttle(1)
    dialler = Dialler(throttle)
    busy = anyio.Event()

    class Slow(Scripted):
        async def connect(self) -> Any:
            await busy.wait()
            return DONE

    slow = asyncio.create_task(dialler.dial(Call("b", "b", None, Patience(None), 0), Slow().connect))
    await asyncio.sleep(0)
    patience = Patience(5.0)
    waiting = asyncio.create_task(dialler.dial(Call("a", "a", None, patience, 0), Scripted().connect))
    while not throttle.waiting:
        await asyncio.sleep(0)
    assert (dialler.connecting, patience.left) == (1, 5.0)
    busy.set()
    assert await waiting is DONE
    assert await slow is DONE


@pytest.mark.parametrize(
    ("through", "text"), [(None, "node2: no; do that"), ("bastion", "node2: through bastion: no; do that")]
)
def test_an_error_of_another(through: str | None, text: str) -> None:
    """Of the same kind."""
    error = about(AuthenticationError("node1", "no", "do that"), "node2", through)
    assert (type(error), str(error)) == (AuthenticationError, text)


async def test_refused_in_a_burst_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told."""
    monkeypatch.setattr(dialling, "pause_before", lambda attempt, chance: 60.0)
    throttle = Throttle()
    throttle.succeeded(ADDRESS)
    with pytest.raises(ConnectionRefusedByNodeError, match=r"^web1: refused$"):
        await dial(Scripted(ConnectionRefusedByNodeError("web1", "refused")), throttle=throttle, seconds=0.02)
