"""``asynctask`` as a program: run to its end, or under a terminal, as a user would."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ("ERASE", "PROGRAM", "Finished", "Terminal", "run", "until")

PROGRAM = (sys.executable, "-m", "asynctask")
#: Erases the line that the cursor is on.
ERASE = b"\r\x1b[K"
#: What nothing here takes, in seconds, however busy the machine is.
PATIENCE = 30.0


class Finished(NamedTuple):
    """How a run ended."""

    status: int
    stdout: bytes
    stderr: bytes


def run(
    *words: str, stdin: bytes | int = subprocess.DEVNULL, env: Mapping[str, str] | None = None
) -> Finished:
    """Run ``asynctask`` with pipes; ``stdin`` is what comes through one, or a file to read."""
    process = subprocess.Popen(
        [*PROGRAM, *words],
        stdin=subprocess.PIPE if isinstance(stdin, bytes) else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    with process:
        stdout, stderr = process.communicate(stdin if isinstance(stdin, bytes) else None, PATIENCE)
    return Finished(process.returncode, stdout, stderr)


def until(happened: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    give_up = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.005)


class Terminal:
    r"""``asynctask`` in a terminal of its own, ended and closed with the block.

    ::

        with Terminal("run", "-w", "web1", "uptime") as terminal:
            terminal.wait_for(b"web1: ")
            terminal.press(b"\x03")
            assert terminal.wait() == 130

    Args:
        words: the command line.
        stdin, stdout, stderr: descriptors to use instead of the terminal.
        columns: how wide the terminal is.
        env: variables to add.

    Attributes:
        shown: what was shown since the last :meth:`wait_for`.
    """

    def __init__(
        self,
        *words: str,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._ours, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.OPOST  # so that what is written is what is shown
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = b""
        self._before = b""
        try:
            self.process = subprocess.Popen(
                [*PROGRAM, *words],
                stdin=theirs if stdin is None else stdin,
                stdout=theirs if stdout is None else stdout,
                stderr=theirs if stderr is None else stderr,
                env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **(env or {})},
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509
                pass_fds=[theirs],
            )
        finally:
            os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._ours >= 0:
            os.close(self._ours)

    def press(self, keys: bytes) -> None:
        """Type something."""
        os.write(self._ours, keys)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the terminal's window."""
        os.close(self._ours)
        self._ours = -1

    @property
    def lines(self) -> list[bytes]:
        """What is left on the screen, where a line was erased and written again."""
        return [line.rpartition(ERASE)[2] for line in (self._before + self.shown).split(b"\n")]

    def wait_for(self, text: bytes) -> bytes:
        """Wait until ``text`` is shown; what was shown up to its end, from the last such wait on."""
        give_up = time.monotonic() + PATIENCE
        while text not in self.shown:
            assert time.monotonic() < give_up, f"{text!r} is not shown, but {self.shown!r}"
            assert self._more(), f"the end came before {text!r}: {self.shown!r}"
        before, _, self.shown = self.shown.partition(text)
        self._before += before + text
        return before + text

    def wait(self) -> int:
        """Wait for the end; the exit status."""
        give_up = time.monotonic() + PATIENCE
        while self._ours >= 0 and self._more():
            assert time.monotonic() < give_up, f"no end after {self.shown!r}"
        return self.process.wait(PATIENCE)

    def _more(self) -> bool:
        """Take what is there; whether the terminal is still open on the other side."""
        if select.select([self._ours], [], [], 1.0)[0]:
            try:
                self.shown += os.read(self._ours, 65536)
            except OSError:  # nobody has it open any more
                return False
        return True
