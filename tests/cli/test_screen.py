"""The status line, and how it keeps out of the way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from asynctask.cli import screen as module
from asynctask.cli.screen import Screen, fitting
from asynctask.cli.terminal import STDERR, STDOUT

ERASE = b"\r\x1b[K"


class FakeWriter:
    """Writes down what is written, and tells when."""

    def __init__(self, on_broken: Callable[[], None]) -> None:
        self.on_broken = on_broken
        self.written: list[tuple[int, bytes]] = []
        self.more = asyncio.Event()
        self.behind = False
        self.error: OSError | None = None
        self.calls: list[str] = []

    async def write(self, fd: int, data: bytes) -> None:
        self.put(fd, data)

    def put(self, fd: int, data: bytes) -> None:
        self.written.append((fd, data))
        self.more.set()

    async def close(self) -> None:
        self.calls.append("close")

    def give_up(self) -> None:
        self.calls.append("give up")

    async def until(self, count: int) -> None:
        """Wait until so much was written."""
        async with asyncio.timeout(20):
            while len(self.written) < count:
                self.more.clear()
                await self.more.wait()


@pytest.fixture
def terminals(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The streams that are terminals: both; and a status line that is in no hurry to wait."""
    found = {STDOUT, STDERR}
    monkeypatch.setattr(module, "is_terminal", lambda fd: fd in found)
    monkeypatch.setattr(module, "Writer", FakeWriter)
    monkeypatch.setattr(module, "_FIRST", 0.0)
    monkeypatch.setattr(module, "_EVERY", 0.001)
    monkeypatch.setattr(module, "columns", lambda: 80)
    monkeypatch.setattr(module, "_in_foreground", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    return found


def _screen(status: Callable[[], str] | None) -> tuple[Screen, FakeWriter]:
    screen = Screen(status, lambda: None)
    writer = screen._writer
    assert isinstance(writer, FakeWriter)
    return screen, writer


async def _rounds() -> None:
    """As long as a status line would need to show several times."""
    for _ in range(5):
        await asyncio.sleep(0.002)


async def test_output_is_written_as_it_is(terminals: set[int]) -> None:
    """The screen changes no byte; who writes cares for terminals."""
    screen, writer = _screen(None)

    await screen.write(STDOUT, b"a\x1b\n")
    await screen.write(STDERR, b"b\n")
    await screen.close()

    assert writer.written == [(STDOUT, b"a\x1b\n"), (STDERR, b"b\n")]
    assert writer.calls == ["close"]


async def test_the_status_line_shows_what_is_new(terminals: set[int]) -> None:
    """Each state once, over the one before; it is erased at the end."""
    states = iter(["1 done", "1 done", "2 done"])
    screen, writer = _screen(lambda: next(states, "2 done"))

    await writer.until(2)
    await screen.close()

    assert writer.written == [
        (STDERR, ERASE + b"1 done"),
        (STDERR, ERASE + b"2 done"),
        (STDERR, ERASE),
    ]


@pytest.mark.parametrize("fd", [STDOUT, STDERR])
async def test_it_is_erased_before_output(terminals: set[int], fd: int) -> None:
    """And comes again below it."""
    screen, writer = _screen(lambda: "status")

    await writer.until(1)
    await screen.write(fd, b"line\n")
    await writer.until(4)
    await screen.close()

    assert writer.written == [
        (STDERR, ERASE + b"status"),
        (STDERR, ERASE),
        (fd, b"line\n"),
        (STDERR, ERASE + b"status"),
        (STDERR, ERASE),
    ]


async def test_it_stays_when_output_goes_elsewhere(terminals: set[int]) -> None:
    """Standard output in a pipe does not touch the terminal."""
    terminals.remove(STDOUT)
    screen, writer = _screen(lambda: "status")

    await writer.until(1)
    await screen.write(STDOUT, b"line\n")
    await screen.close()

    assert writer.written == [(STDERR, ERASE + b"status"), (STDOUT, b"line\n"), (STDERR, ERASE)]


async def test_a_word_to_the_user(terminals: set[int]) -> None:
    """It takes the place of the status line, and cannot drive the terminal."""
    screen, writer = _screen(lambda: "status")

    await writer.until(1)
    screen.say("n1: \x1b[31m\udcff")
    await screen.close()

    said = "n1: ^[[31m\ufffd\n".encode()
    assert writer.written == [(STDERR, ERASE + b"status"), (STDERR, ERASE), (STDERR, said)]


async def test_nothing_is_erased_that_is_not_shown(terminals: set[int]) -> None:
    """No control sequence without a status line."""
    screen, writer = _screen(None)

    screen.say("a")
    screen.end_status()
    screen.say("b")
    await screen.close()

    assert writer.written == [(STDERR, b"a\n"), (STDERR, b"b\n")]


async def test_no_status_line_without_a_terminal(terminals: set[int]) -> None:
    """What is redirected holds no progress."""
    terminals.remove(STDERR)
    screen, writer = _screen(lambda: "status")

    await _rounds()
    await screen.close()

    assert writer.written == []


async def test_no_status_line_on_a_terminal_that_cannot_erase(
    terminals: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an editor's shell window."""
    monkeypatch.setenv("TERM", "dumb")
    screen, writer = _screen(lambda: "status")

    await _rounds()
    await screen.close()

    assert writer.written == []


async def test_no_status_line_for_a_terminal_that_does_not_keep_up(terminals: set[int]) -> None:
    """A terminal that is stopped does not make status lines pile up."""
    screen, writer = _screen(lambda: "status")
    writer.behind = True

    await _rounds()
    assert writer.written == []

    writer.behind = False
    await writer.until(1)
    await screen.close()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 100, b"x" * 79),
        ("\x1b[2Jn1", b"^[[2Jn1"),
        ("\x1b" * 50, b"^[" * 39 + b"^"),
        ("\N{CJK UNIFIED IDEOGRAPH-4E2D}" * 50, "\N{CJK UNIFIED IDEOGRAPH-4E2D}".encode() * 39),
    ],
)
async def test_the_status_line_can_be_erased(terminals: set[int], text: str, shown: bytes) -> None:
    """It fits in a line, and what it says cannot drive the terminal."""
    screen, writer = _screen(lambda: text)

    await writer.until(1)
    await screen.close()

    assert writer.written == [(STDERR, ERASE + shown), (STDERR, ERASE)]


@pytest.mark.parametrize(("columns", "width"), [(120, 120), (0, 80)])
def test_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int, width: int) -> None:
    """That of a common one, where the terminal does not tell."""
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, 24)))

    assert module.columns() == width


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("abc", 3, "abc"),
        ("abc", 2, "ab"),
        ("e\N{COMBINING ACUTE ACCENT}x", 1, "e\N{COMBINING ACUTE ACCENT}"),
        ("e\N{COMBINING ACUTE ACCENT}x", 2, "e\N{COMBINING ACUTE ACCENT}x"),
        ("a\N{FULLWIDTH LATIN CAPITAL LETTER A}", 2, "a"),
        ("", 0, ""),
    ],
)
def test_what_fits(text: str, width: int, cut: str) -> None:
    """Columns count, not characters."""
    assert fitting(text, width) == cut


async def test_not_in_the_background(terminals: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """There the shell has the terminal; the line comes back with it."""
    screen, writer = _screen(lambda: "status")
    monkeypatch.setattr(module, "_in_foreground", lambda: False)

    await _rounds()
    assert writer.written == []

    monkeypatch.setattr(module, "_in_foreground", lambda: True)
    await writer.until(1)
    await screen.close()

    assert writer.written == [(STDERR, ERASE + b"status"), (STDERR, ERASE)]


async def test_it_is_drawn_anew_after_a_stop(terminals: set[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same text: the shell has written over it."""
    monkeypatch.setattr(module, "_STOPPED", -1.0)
    screen, writer = _screen(lambda: "status")

    await writer.until(2)
    screen.end_status()
    await screen.close()

    assert writer.written[:2] == [(STDERR, ERASE + b"status")] * 2


async def test_a_pause(terminals: set[int]) -> None:
    """A prompt has the terminal for itself once all is shown; afterwards the line is back."""
    screen, writer = _screen(lambda: "status")
    await writer.until(1)
    writer.behind = True
    pausing = asyncio.ensure_future(screen.pause())
    await _rounds()
    assert (pausing.done(), screen.paused) == (False, True)

    writer.behind = False
    await pausing
    await _rounds()
    assert writer.written == [(STDERR, ERASE + b"status"), (STDERR, ERASE)]

    screen.resume()
    await writer.until(3)
    await screen.close()
    assert (screen.paused, writer.written[2]) == (False, (STDERR, ERASE + b"status"))


async def test_what_comes_during_a_pause(terminals: set[int]) -> None:
    """It is shown when the prompt is answered: first what was said, then output."""
    screen, writer = _screen(None)
    await screen.pause()
    writing = asyncio.ensure_future(screen.write(STDOUT, b"output\n"))
    screen.say("said")
    screen.say("more")
    await _rounds()
    assert (writing.done(), writer.written) == (False, [])

    screen.resume()
    await writing
    await screen.close()

    assert writer.written == [(STDERR, b"said\nmore\n"), (STDOUT, b"output\n")]


async def test_a_pause_holds_up_no_pipe(terminals: set[int]) -> None:
    """Nobody sees what goes there."""
    terminals.clear()
    screen, writer = _screen(None)
    await screen.pause()

    await screen.write(STDOUT, b"output\n")
    screen.say("said")
    screen.resume()
    await screen.close()

    assert writer.written == [(STDOUT, b"output\n"), (STDERR, b"said\n")]


async def test_a_pause_on_a_terminal_that_is_stopped(
    terminals: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt waits for it a while only."""
    monkeypatch.setattr(module, "_PAUSING", 0.0)
    screen, writer = _screen(None)
    writer.behind = True

    async with asyncio.timeout(20):
        await screen.pause()

    assert writer.behind
    await screen.close()


async def test_an_end_that_is_said_twice(terminals: set[int]) -> None:
    """The status line is gone for good."""
    screen, writer = _screen(lambda: "status")
    await writer.until(1)

    screen.end_status()
    screen.end_status()
    await _rounds()
    await screen.close()

    assert writer.written == [(STDERR, ERASE + b"status"), (STDERR, ERASE)]


async def test_what_the_writer_knows(terminals: set[int]) -> None:
    """The error of standard output and giving up are the writer's."""
    screen, writer = _screen(None)
    error = writer.error = BrokenPipeError()

    screen.give_up()

    assert (screen.error, writer.calls) == (error, ["give up"])
    assert [screen.is_terminal(fd) for fd in (STDOUT, STDERR)] == [True, True]
