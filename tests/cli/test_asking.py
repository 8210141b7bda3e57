"""The user asks how a run goes."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from asynctask.cli import asking as module
from asynctask.cli.asking import Keyboard, questions_heard
from tests.cli.programs import until

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


class Tty:
    """A terminal with somebody at its keyboard."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()

    def type(self, keys: bytes) -> None:
        """Type whole lines; wait until they have come."""
        wanted = self.waiting() + len(keys)
        os.write(self.ours, keys)
        until(lambda: self.waiting() == wanted)

    def waiting(self) -> int:
        (count,) = struct.unpack("i", fcntl.ioctl(self.theirs, termios.FIONREAD, bytes(4)))
        return int(count)

    def close(self) -> None:
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture
def tty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tty]:
    """A terminal in whose foreground we are."""
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    terminal = Tty()
    yield terminal
    terminal.close()


@pytest.fixture
def kept_signal() -> Iterator[None]:
    """SIGUSR1 is afterwards what it was."""
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_enter(tty: Tty) -> None:
    """It is heard once, each time, and taken."""
    keyboard = Keyboard(tty.theirs)
    found = [keyboard.enter()]
    for _ in range(2):
        tty.type(b"\n")
        found += [keyboard.enter(), keyboard.enter()]

    assert found == [False, True, False, True, False]
    assert tty.waiting() == 0


def test_what_is_typed_is_for_the_shell(tty: Tty) -> None:
    """A line with something in it stays, and what is behind it; Enter is heard all the same."""
    keyboard = Keyboard(tty.theirs)
    tty.type(b"ls -l\n")
    found = [keyboard.enter()]
    tty.type(b"\n")
    found.append(keyboard.enter())

    assert found == [False, True]
    assert os.read(tty.theirs, 100) == b"ls -l\n"


def test_a_line_that_is_not_finished(tty: Tty) -> None:
    """It is no question, and stays."""
    keyboard = Keyboard(tty.theirs)
    os.write(tty.ours, b"l")
    found = [keyboard.enter()]
    os.write(tty.ours, b"s\n")
    until(lambda: tty.waiting() == 3)
    found.append(keyboard.enter())

    assert found == [False, False]
    assert os.read(tty.theirs, 100) == b"ls\n"


def test_what_was_typed_before(tty: Tty) -> None:
    """Enter from before the run is none of its business, nor is one for a prompt."""
    tty.type(b"\n")
    keyboard = Keyboard(tty.theirs)
    found = [keyboard.enter()]
    tty.type(b"\n")
    keyboard.forget()
    found.append(keyboard.enter())

    assert (found, tty.waiting()) == ([False, False], 2)


def test_in_the_background(tty: Tty, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is for the shell; nor is it taken for a question later."""
    keyboard = Keyboard(tty.theirs)
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp() + 1)
    tty.type(b"\n")
    found = [keyboard.enter()]
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())
    found.append(keyboard.enter())

    assert (found, tty.waiting()) == ([False, False], 1)


def test_somebody_else_reads_each_key(tty: Tty) -> None:
    """A program that changed the terminal gets its keys."""
    keyboard = Keyboard(tty.theirs)
    modes = termios.tcgetattr(tty.theirs)
    modes[3] &= ~termios.ICANON
    termios.tcsetattr(tty.theirs, termios.TCSANOW, modes)
    tty.type(b"\n")

    assert (keyboard.enter(), tty.waiting()) == (False, 1)


def test_the_descriptor_stays_as_it_is(tty: Tty) -> None:
    """Others have it, too: that reading does not wait is not written down in it."""
    keyboard = Keyboard(tty.theirs)
    before = fcntl.fcntl(tty.theirs, fcntl.F_GETFL), termios.tcgetattr(tty.theirs)
    tty.type(b"\n")

    assert keyboard.enter()
    assert (fcntl.fcntl(tty.theirs, fcntl.F_GETFL), termios.tcgetattr(tty.theirs)) == before


def test_no_terminal_any_more() -> None:
    """The window is closed: nobody asks."""
    reader, writer = os.pipe()
    os.close(writer)
    keyboard = Keyboard(reader)
    os.close(reader)

    assert not keyboard.enter()


async def test_the_signal(kept_signal: None) -> None:
    """Each time; afterwards it does what it did."""
    asked: asyncio.Queue[None] = asyncio.Queue()
    before = signal.getsignal(signal.SIGUSR1)

    with questions_heard(lambda: asked.put_nowait(None)):
        async with asyncio.timeout(20):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGUSR1)
                await asked.get()

    assert signal.getsignal(signal.SIGUSR1) == before


async def test_a_signal_that_is_ignored(kept_signal: None) -> None:
    """It stays so."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    with questions_heard(lambda: None):
        assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN

    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN


async def test_the_keyboard(tty: Tty, monkeypatch: pytest.MonkeyPatch, kept_signal: None) -> None:
    """It is looked at while the block goes on, and not while a prompt has it."""
    asked: asyncio.Queue[None] = asyncio.Queue()
    looks = []
    held = False

    def is_held() -> bool:
        looks.append(held)
        return held

    monkeypatch.setattr(module, "_EVERY", 0.001)
    monkeypatch.setattr(module, "STDIN", tty.theirs)
    monkeypatch.setattr(module, "is_terminal", lambda _: True)
    async with asyncio.timeout(20):
        with questions_heard(lambda: asked.put_nowait(None), is_held):
            tty.type(b"\n")
            await asked.get()
            held = True
            tty.type(b"\n")
            while looks.count(True) < 2:
                await asyncio.sleep(0.001)
            held = False
            while looks[-1]:
                await asyncio.sleep(0.001)
    count = len(looks)
    await asyncio.sleep(0.005)

    assert (asked.empty(), tty.waiting(), len(looks)) == (True, 1, count)


@pytest.mark.parametrize("missing", [0, 1])
async def test_no_keyboard_without_a_terminal(
    missing: int, monkeypatch: pytest.MonkeyPatch, kept_signal: None
) -> None:
    """Both standard input and standard output have to be one."""
    monkeypatch.setattr(module, "is_terminal", lambda fd: fd != missing)
    monkeypatch.setattr(module, "Keyboard", None)

    with questions_heard(lambda: None):
        pass
