"""Lines where there is no loop."""

from __future__ import annotations

import os
import pty
import termios

import pytest

from asynctask.cli.past import printing
from asynctask.cli.past.printing import columns, put, put_bytes, say

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Capture = pytest.CaptureFixture[bytes]
ODD = b"caf\xe9".decode(errors="surrogateescape")


def test_into_a_pipe_it_goes_as_it_is(capfdbinary: Capture) -> None:
    """Byte for byte."""
    put([f"{ODD}\x1b[2J", "two"])
    put_bytes([b"\xff", b"\n"])

    assert capfdbinary.readouterr().out == b"caf\xe9\x1b[2J\ntwo\n\xff\n"
    assert columns() is None


def test_nothing_drives_a_terminal(capfdbinary: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither standard output, if it is one, nor standard error in any case."""
    monkeypatch.setattr(printing, "is_terminal", lambda fd: True)
    put(["\x1b[2J"])
    say(f"{ODD}\x1b[2J")

    assert capfdbinary.readouterr() == (b"^[[2J\n", "asynctask: caf\ufffd^[[2J\n".encode())


def test_how_wide_a_terminal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not tell has no width."""
    ours, theirs = pty.openpty()
    try:
        monkeypatch.setattr(printing, "STDOUT", theirs)
        assert columns() is None
        termios.tcsetwinsize(theirs, (24, 100))
        assert columns() == 100
        monkeypatch.setattr(printing, "is_terminal", lambda fd: True)
        monkeypatch.setattr(printing, "STDOUT", 9999)
        assert columns() is None
    finally:
        os.close(ours)
        os.close(theirs)
