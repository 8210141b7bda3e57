"""Tests of asynctask.calling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from asynctask.calling import Caller, Gate
from tests.support import turns

# -- the gate ---------------------------------------------------------------------------------------


async def test_an_open_gate_lets_through_at_once() -> None:
    """It is open at first, and nobody is at work."""
    gate = Gate()
    await gate.passed()
    assert (gate.closed, gate.busy) == (False, 0)


async def test_a_closed_gate_holds_all_until_it_is_opened() -> None:
    """Also when it is closed and opened again and again."""
    gate = Gate()
    for _ in range(2):
        gate.close()
        waiting = [asyncio.create_task(gate.passed()) for _ in range(3)]
        await turns(3)
        assert (gate.closed, [task.done() for task in waiting]) == (True, [False] * 3)
        gate.open()
        await asyncio.gather(*waiting)


async def test_a_gate_that_is_closed_again_before_they_came_holds_them() -> None:
    """Opened and closed in one turn: nobody has gone through."""
    gate = Gate()
    gate.close()
    waiting = asyncio.create_task(gate.passed())
    await turns(2)
    gate.open()
    gate.close()
    await turns(3)
    assert not waiting.done()
    gate.open()
    await waiting


# -- the caller -------------------------------------------------------------------------------------


class Bench:
    """A caller, what it was told to give up for, and what its hook was called with."""

    def __init__(self) -> None:
        self.gave_up: list[BaseException] = []
        self.heard: list[tuple[object, ...]] = []
        self.caller = Caller(Gate(), self.gave_up.append)

    def hook(self, error: BaseException | None = None, *, is_async: bool = False) -> Callable[..., object]:
        """A hook that writes down its arguments, and raises."""

        def plain(*args: object) -> None:
            self.heard.append(args)
            if error is not None:
                raise error

        async def waiting(*args: object) -> None:
            await asyncio.sleep(0)
            plain(*args)

        return waiting if is_async else plain

    @property
    def errors(self) -> list[tuple[str, list[str]]]:
        """What is kept, each with its notes."""
        return [(repr(exc), exc.__notes__) for exc in self.caller.errors]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_hook_is_called_with_its_arguments(is_async: bool) -> None:
    """And all is well."""
    bench = Bench()
    assert await bench.caller.call("ev_x", "a", bench.hook(is_async=is_async), 1, "two")
    assert (bench.heard, bench.errors, bench.gave_up) == ([(1, "two")], [], [])


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize(
    ("node", "note"), [("a", "raised in ev_x for a"), ("", "raised in ev_x")], ids=["node", "none"]
)
async def test_what_a_hook_raises_is_kept_with_a_note_of_where(node: str, note: str, is_async: bool) -> None:
    """The caller goes on."""
    bench = Bench()
    assert not await bench.caller.call("ev_x", node, bench.hook(ValueError("no"), is_async=is_async))
    assert await bench.caller.call("ev_x", node, bench.hook())
    assert (bench.errors, bench.gave_up) == ([("ValueError('no')", [note])], [])


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=repr)
async def test_what_ends_the_program_is_handed_over(error: BaseException) -> None:
    """It is no error of the hook."""
    bench = Bench()
    assert not await bench.caller.call("ev_x", "a", bench.hook(error))
    assert (bench.gave_up, bench.errors) == ([error], [])


async def test_a_cancellation_that_is_not_ours_is_an_error_of_the_hook() -> None:
    """Nobody has cancelled the task that calls."""
    bench = Bench()
    error = asyncio.CancelledError()
    assert not await bench.caller.call("ev_x", "a", bench.hook(error))
    assert bench.errors == [
        ("RuntimeError('ev_x raised CancelledError by itself')", ["raised in ev_x for a"])
    ]
    assert bench.caller.errors[0].__cause__ is error


async def test_a_cancellation_that_is_ours_goes_through_and_can_be_noted() -> None:
    """The hook that was cut short is told by a note; the task is then as if not cancelled."""
    bench = Bench()
    left: list[int] = []

    async def for_ever() -> None:
        await asyncio.Event().wait()

    async def deliver() -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await bench.caller.call("ev_x", "a", for_ever)
        except asyncio.CancelledError as exc:
            bench.caller.note_cancelled(exc)
        left.append(task.cancelling())

    delivering = asyncio.create_task(deliver())
    await turns(2)
    delivering.cancel()
    await delivering
    assert left == [0]
    assert bench.errors == [
        (
            "RuntimeError('the asyncio task in which handlers are called was cancelled')",
            ["raised in ev_x for a"],
        )
    ]


async def test_a_cancellation_outside_of_a_hook_is_nobodys_error() -> None:
    """No hook was at work, so there is nothing to note."""
    bench = Bench()

    async def deliver() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as exc:
            bench.caller.note_cancelled(exc)

    delivering = asyncio.create_task(deliver())
    await turns(2)
    delivering.cancel()
    await delivering
    assert bench.errors == []
