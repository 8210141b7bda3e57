"""Tests of asynctask.dispatch.handlers."""

from __future__ import annotations

import inspect
import io
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from asynctask.dispatch import (
    ChainEventHandler,
    Event,
    EventHandler,
    ExecEventHandler,
    PrintEventHandler,
    ThreadEventHandler,
)
from asynctask.dispatch.handlers import process
from asynctask.errors import UsageError
from tests.dispatch.helpers import Does, DoesAsync, Failing, Noted

EVENT = Event("me", None, 1)


def test_the_base_has_to_be_overridden() -> None:
    """It says which class does not."""
    with pytest.raises(NotImplementedError, match=r"^EventHandler has no process_event\(\)$"):
        EventHandler().process_event(EVENT)


def test_a_handler_as_text_tells_its_properties() -> None:
    """But no secrets, and nothing of its own."""

    class Mail(EventHandler):
        def __init__(self) -> None:
            self.to = "root"
            self.password = "hunter2"
            self.api_token = "hunter2"
            self._count = 0

    assert str(Mail()) == "Mail(to='root', password=***, api_token=***)"
    assert str(EventHandler()) == "EventHandler()"


@pytest.mark.one_loop
async def test_process_takes_plain_and_async_and_what_only_has_the_method() -> None:
    """What it returns is what comes back."""

    class Duck:
        def process_event(self, event: Any) -> str:
            return "quack"

    assert await process(Does(lambda event: event), EVENT) is EVENT
    assert await process(DoesAsync(lambda event: event), EVENT) is EVENT
    assert await process(Duck(), EVENT) == "quack"


# -- chains -----------------------------------------------------------------------------------------


def test_a_chain_calls_in_order_with_the_same_event() -> None:
    """And is a success."""
    calls: list[Any] = []

    def note(number: int) -> Any:
        return lambda event: calls.append((number, event)) or True  # type: ignore[func-returns-value]

    chain = ChainEventHandler(Does(note(1)), Does(note(2)))
    assert chain.process_event(EVENT) is True
    assert calls == [(1, EVENT), (2, EVENT)]


@pytest.mark.parametrize("false", [False, None, 0, ""])
def test_a_chain_stops_at_the_first_false_return(false: object) -> None:
    """Who comes after is not called; the chain itself returns false, so that chains nest."""
    noted = Noted()
    chain = ChainEventHandler(Noted(), Does(lambda event: false), noted)
    assert chain.process_event(EVENT) is False
    assert ChainEventHandler(chain, noted).process_event(EVENT) is False
    assert noted.seen == []


def test_an_empty_chain_is_a_success() -> None:
    """Nobody has objected."""
    assert ChainEventHandler().process_event(EVENT) is True


def test_what_a_member_raises_ends_the_chain() -> None:
    """It comes out."""
    noted = Noted()
    with pytest.raises(ZeroDivisionError):
        ChainEventHandler(Failing(ZeroDivisionError()), noted).process_event(EVENT)
    assert noted.seen == []


@pytest.mark.one_loop
async def test_a_chain_with_async_members_is_awaited() -> None:
    """In order, with plain ones before and after, and in chains."""
    calls: list[int] = []

    def note(number: int) -> Any:
        return lambda event: calls.append(number) or True  # type: ignore[func-returns-value]

    inner = ChainEventHandler(Does(note(2)), DoesAsync(note(3)))
    outcome = ChainEventHandler(Does(note(1)), inner, Does(note(4))).process_event(EVENT)
    assert inspect.isawaitable(outcome)
    assert await outcome is True
    assert calls == [1, 2, 3, 4]


@pytest.mark.one_loop
@pytest.mark.parametrize("first", [Does, DoesAsync])
async def test_a_chain_stops_at_an_async_member(first: type[Does]) -> None:
    """Or after it."""
    noted = Noted()
    refuses = DoesAsync(lambda event: False)
    assert await process(ChainEventHandler(first(lambda event: True), refuses, noted), EVENT) is False
    after = ChainEventHandler(DoesAsync(lambda event: True), Does(lambda event: 0), noted)
    assert await process(after, EVENT) is False
    assert noted.seen == []


def test_handlers_that_know_of_one_another_as_text() -> None:
    """Each is told once; to try all the ways round would take for ever."""

    class Linked(EventHandler):
        def __init__(self) -> None:
            self.next = self.previous = self

    one, other = Linked(), Linked()
    one.next = one.previous = other
    other.next = other.previous = one
    assert str(one) == "Linked(next=Linked(next=..., previous=...), previous=Linked(next=..., previous=...))"
    chain = ChainEventHandler()
    chain.handlers = (chain, chain)
    assert str(chain) == "ChainEventHandler(..., ...)"


def test_a_chain_as_text_lists_its_members() -> None:
    """Also one that cannot be shown."""

    class Odd(EventHandler):
        def __str__(self) -> str:
            raise ValueError

    chain = ChainEventHandler(PrintEventHandler(), ChainEventHandler(), Odd())
    assert str(chain) == (
        "ChainEventHandler(PrintEventHandler(file='stdout'), ChainEventHandler(), <Odd that cannot be shown>)"
    )


# -- exec -------------------------------------------------------------------------------------------


def test_exec_executes_its_source_and_ignores_the_event() -> None:
    """With the names that it was given; it is always a success."""
    calls: list[int] = []
    handler = ExecEventHandler("x = 1\ncalls.append(x)", {"calls": calls})
    assert handler.process_event(None) is True
    assert handler.process_event(EVENT) is True
    assert calls == [1, 1]
    assert str(handler) == r"ExecEventHandler(command='x = 1\ncalls.append(x)')"


def test_exec_sees_fresh_names_each_time() -> None:
    """What it binds is gone; it sees nothing of the module that executes it."""
    handler = ExecEventHandler("assert 'left' not in globals() and 'EventHandler' not in globals()\nleft = 1")
    assert handler.process_event(EVENT)
    assert handler.process_event(EVENT)


def test_exec_takes_a_code_object() -> None:
    """As well as text."""
    calls: list[int] = []
    handler = ExecEventHandler("")
    handler.command = compile("calls.append(1)", "here", "exec")
    handler._names["calls"] = calls
    assert handler.process_event(EVENT)
    assert calls == [1]


def test_exec_finds_a_syntax_error_when_it_is_executed() -> None:
    """So that it goes to the error handler."""
    handler = ExecEventHandler("this is no python")
    with pytest.raises(SyntaxError):
        handler.process_event(EVENT)


# -- print ------------------------------------------------------------------------------------------


class Flushed(io.StringIO):
    """Counts how often it is flushed."""

    flushes = 0

    def flush(self) -> None:
        self.flushes += 1


def test_print_writes_a_line_and_flushes() -> None:
    """It is a success."""
    file = Flushed()
    assert PrintEventHandler(file).process_event(EVENT) is True
    assert file.getvalue() == f"{EVENT}\n"
    assert file.flushes == 1


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_print_finds_standard_streams_when_it_prints(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of the moment at which it was made."""
    handler = PrintEventHandler(name)
    file = io.StringIO()
    monkeypatch.setattr(sys, name, file)
    handler.process_event(EVENT)
    assert file.getvalue() == f"{EVENT}\n"


def test_print_prints_to_standard_output_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    """As it was always."""
    PrintEventHandler().process_event(EVENT)
    assert capsys.readouterr().out == f"{EVENT}\n"


def test_print_takes_text_for_its_file(tmp_path: Path) -> None:
    """A path, to which it appends; it can be set later."""
    handler = PrintEventHandler()
    handler.file = str(tmp_path / "log")
    assert handler.process_event(EVENT)
    handler.file = tmp_path / "log"
    assert handler.process_event(EVENT)
    assert (tmp_path / "log").read_text() == f"{EVENT}\n{EVENT}\n"
    assert str(handler) == "PrintEventHandler(file='log')"


@pytest.mark.parametrize("file", [None, "", 3])
def test_print_refuses_what_is_no_file(file: Any) -> None:
    """At the call."""
    with pytest.raises(UsageError, match=r"an open file, 'stdout', 'stderr' or a path$"):
        PrintEventHandler(file)


# -- threads ----------------------------------------------------------------------------------------


async def test_a_blocking_handler_runs_in_a_thread() -> None:
    """The loop goes on meanwhile."""
    begun = threading.Event()

    def block(event: Any) -> str:
        assert begun.wait(20)
        return threading.current_thread().name

    processing = ThreadEventHandler(Does(block)).process_event(EVENT)
    begun.set()
    assert await processing == "handler Does"


@pytest.mark.one_loop
async def test_an_async_handler_in_a_thread_is_awaited_on_the_loop() -> None:
    """There is no loop in the thread."""
    assert await ThreadEventHandler(DoesAsync(lambda event: event)).process_event(EVENT) is EVENT
    assert "Does" in str(ThreadEventHandler(Does(print)))
