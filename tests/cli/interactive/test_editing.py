"""The editor."""

from __future__ import annotations

import asyncio
import io
import os
import pty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from prompt_toolkit.output.vt100 import Vt100_Output

from asynctask.cli.interactive.completion import Completion
from asynctask.cli.interactive.editing import EditedLines, _output
from asynctask.cli.interactive.lines import LineClearedError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

PAST = ["uname -r", "uptime"]


def _complete(line: str) -> list[Completion]:
    return [Completion("help", len(line))] if "help".startswith(line) else []


@contextmanager
def _edited() -> Iterator[tuple[EditedLines, PipeInput]]:
    with create_pipe_input() as keys:
        yield EditedLines(PAST, _complete, source=keys, screen=DummyOutput()), keys


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("date\r", "date"),
        ("daze\x7f\x7fte\r", "date"),
        ("\x1b[A\r", "uptime"),
        ("\x1b[A\x1b[A\r", "uname -r"),
        ("he\t\r", "help"),
        ("\x12una\r\r", "uname -r"),
        ("\x1b[200~one\ntwo\x1b[201~\r", "one\ntwo"),
    ],
)
async def test_keys(keys: str, line: str) -> None:
    """Corrections, earlier lines, completion, searching, pasting."""
    with _edited() as (lines, typed):
        typed.send_text(keys)
        assert await lines.read() == line


async def test_lines_of_this_session_are_past_lines_too() -> None:
    """The last one comes first."""
    with _edited() as (lines, typed):
        typed.send_text("date\r")
        await lines.read()
        typed.send_text("\x1b[A\r")
        assert await lines.read() == "date"


async def test_the_line_is_cleared() -> None:
    """By Ctrl-C; the next one is read as usual."""
    with _edited() as (lines, typed):
        typed.send_text("dat\x03")
        with pytest.raises(LineClearedError):
            await lines.read()
        typed.send_text("e\r")
        assert await lines.read() == "e"


async def test_the_end() -> None:
    """By Ctrl-D on an empty line."""
    with _edited() as (lines, typed):
        typed.send_text("\x04")
        with pytest.raises(EOFError):
            await lines.read()


async def test_cancelled() -> None:
    """As by a signal; nothing is left of it."""
    with _edited() as (lines, typed):
        reading = asyncio.create_task(lines.read())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        typed.send_text("date\r")
        assert await lines.read() == "date"


@pytest.fixture
async def standard_input() -> AsyncIterator[None]:
    """Put a terminal at standard input."""
    kept, (ours, theirs) = os.dup(0), pty.openpty()
    os.dup2(theirs, 0)
    yield
    os.dup2(kept, 0)
    for fd in (kept, ours, theirs):
        os.close(fd)


@pytest.mark.usefixtures("standard_input")
async def test_standard_input_is_left_as_it_was() -> None:
    """Loops make it non-blocking, and others have it, too."""
    with _edited() as (lines, typed):
        typed.send_text("a\r")
        os.set_blocking(0, False)
        await lines.read()
        assert os.get_blocking(0)


def test_the_terminal_is_not_asked_where_its_cursor_is() -> None:
    """Not every one answers; and one that is gone has a size."""

    class Gone(io.StringIO):
        def fileno(self) -> int:
            return -1

    output = _output(Gone())
    assert isinstance(output, Vt100_Output)
    assert not output.responds_to_cpr
    assert output.get_size() == (24, 80)
