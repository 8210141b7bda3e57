"""Where lines come from."""

from __future__ import annotations

import asyncio
import os
import pty
from collections.abc import Iterator
from contextlib import suppress

import pytest

from asynctask.cli.interactive import lines as module
from asynctask.cli.interactive.editing import EditedLines
from asynctask.cli.interactive.lines import PlainLines, open_lines

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


@pytest.mark.parametrize(
    ("terminals", "term", "kind", "out"),
    [
        ({1, 2}, "xterm", EditedLines, 2),
        ({1}, "xterm", EditedLines, 1),
        ({1, 2}, "dumb", PlainLines, 2),
        ({1, 2}, None, PlainLines, 2),
        (set(), "xterm", PlainLines, None),
    ],
)
def test_the_best_that_the_terminal_allows(
    monkeypatch: pytest.MonkeyPatch, terminals: set[int], term: str | None, kind: type, out: int | None
) -> None:
    """An editor, where it can be shown; it is shown on standard error, to keep it out of what is piped on."""
    shown_on = []
    monkeypatch.setattr(module, "is_terminal", lambda fd: fd in terminals)
    monkeypatch.setattr(PlainLines, "__init__", lambda self, out: shown_on.append(out))
    monkeypatch.setattr(EditedLines, "__init__", lambda self, past, complete, out: shown_on.append(out))

    found = open_lines([], lambda line: [], {} if term is None else {"TERM": term})

    assert type(found) is kind
    assert shown_on == [out]
