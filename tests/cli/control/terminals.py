"""A terminal for a test, in place of ``/dev/tty``."""

from __future__ import annotations

import asyncio
import os
import pty
import termios
from collections.abc import Iterator

import pytest

from asynctask.cli.control import prompting

__all__ = ("FakeTerminal", "terminal")


class FakeTerminal:
    """The user's side."""

    def __init__(self) -> None:
        self.ours, self.theirs = pty.openpty()
        modes = termios.tcgetattr(self.theirs)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(self.theirs, termios.TCSANOW, modes)
        os.set_blocking(self.ours, False)

    @property
    def path(self) -> str:
        """What is opened."""
        return os.ttyname(self.theirs)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self.ours, keys)

    def shown(self) -> bytes:
        """What is shown since the last look."""
        try:
            return os.read(self.ours, 65536)
        except BlockingIOError:
            return b""

    async def shows(self) -> bytes:
        """Wait until something is shown."""
        while not (shown := self.shown()):
            await asyncio.sleep(0.001)
        return shown


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTerminal]:
    """One that we are in the foreground of."""
    fake = FakeTerminal()
    monkeypatch.setattr(prompting, "_TERMINAL", fake.path)
    monkeypatch.setattr(os, "tcgetpgrp", lambda fd: os.getpgrp())
    yield fake
    os.close(fake.ours)
    os.close(fake.theirs)
