"""Where lines come from."""

from __future__ import annotations

import asyncio
import os
import pty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from asynctask.cli.interactive.lines import PlainLines

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The person's side of a terminal and the program's."""
    ends = pty.openpty()
    yield ends
    for fd in ends:
        with suppress(OSError):  # the test has done it
            os.close(fd)


async def test_lines_of_a_terminal(terminal: tuple[int, int]) -> None:
    """Each after a prompt; Ctrl-D is the end; bytes come through."""
    person, program = terminal
    lines = PlainLines(program, program)
    os.write(person, b"uptime\ncaf\xe9\n")
    assert [await lines.read(), await lines.read()] == ["uptime", "caf\udce9"]
    os.write(person, b"\x04")
    with pytest.raises(EOFError):
        await lines.read()
    assert os.read(person, 1000).count(b"asynctask> ") == 3


async def test_no_prompt(terminal: tuple[int, int]) -> None:
    """Where none can be seen."""
    person, program = terminal
    reading = asyncio.create_task(PlainLines(None, program).read())
    os.write(person, b"a\n")
    assert await reading == "a"
    assert os.read(person, 1000) == b"a\r\n"


async def test_a_line_that_is_cancelled(terminal: tuple[int, int]) -> None:
    """The next one is whole."""
    person, program = terminal
    lines = PlainLines(None, program)
    reading = asyncio.create_task(lines.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    os.write(person, b"next\n")
    assert await lines.read() == "next"


async def test_a_terminal_that_hangs_up(terminal: tuple[int, int]) -> None:
    """It is the end."""
    person, program = terminal
    os.close(person)
    with pytest.raises(EOFError):
        await PlainLines(program, program).read()
