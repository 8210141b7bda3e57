"""Hears that the user asks how a run goes: ``Enter`` on its terminal, or SIGUSR1.

The terminal stays as it is: it takes whole lines, and only an empty one is a question. What else is
typed is for the shell, later, and is not taken from it. So nothing is read here to find out: the
terminal tells how many bytes of whole lines wait.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from asynctask.cli.terminal import STDOUT, is_terminal

__all__ = ("Keyboard", "questions_heard")

STDIN = 0
#: Seconds between two looks at the keyboard.
_EVERY = 0.2


@contextmanager
def questions_heard(
    callback: Callable[[], object], held: Callable[[], bool] = lambda: False
) -> Iterator[None]:
    """Have ``callback`` called on the running loop each time the user asks, until the block is left.

    The keyboard is listened to if standard input and standard output are terminals. A signal that is
    ignored stays so.

    Args:
        callback: gives the answer.
        held: tells whether somebody else reads the terminal right now, as a prompt does.
    """
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGUSR1)
    if before is not signal.SIG_IGN:
        loop.add_signal_handler(signal.SIGUSR1, callback)
    listener = None
    if is_terminal(STDIN) and is_terminal(STDOUT):
        listener = _Listener(Keyboard(STDIN), callback, held)
    try:
        yield
    finally:
        if listener is not None:
            listener.stop()
        if before is not signal.SIG_IGN:
            loop.remove_signal_handler(signal.SIGUSR1)
            signal.signal(signal.SIGUSR1, before or signal.SIG_DFL)


class _Listener:
    """Looks at the keyboard from time to time."""

    def __init__(self, keyboard: Keyboard, callback: Callable[[], object], held: Callable[[], bool]) -> None:
        self._keyboard = keyboard
        self._callback = callback
        self._held = held
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_EVERY, self._look)

    def stop(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_EVERY, self._look)
        if self._held():
            self._keyboard.forget()
        elif self._keyboard.enter():
            self._callback()


class Keyboard:
    """What was typed on a terminal and not read yet.

    Args:
        fd: a descriptor of the terminal.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._typed = self._waiting()

    def enter(self) -> bool:
        """Whether Enter was pressed, and nothing else, since the last look."""
        if not self._is_ours():
            self.forget()
            return False
        before, self._typed = self._typed, self._waiting()
        if self._typed - before != 1:
            return False
        if self._typed == 1:  # else it is behind what is for the shell
            self._take()
            self._typed = self._waiting()
        return True

    def forget(self) -> None:
        """What was typed until now was for others."""
        self._typed = self._waiting()

    def _waiting(self) -> int:
        """How many bytes of whole lines wait to be read; none on a terminal that is gone."""
        try:
            if not termios.tcgetattr(self._fd)[3] & termios.ICANON:  # somebody reads each key
                return 0
            (waiting,) = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))
        except (OSError, termios.error):
            return 0
        return int(waiting)

    def _is_ours(self) -> bool:
        """Whether we are in the foreground: in the background, what is typed is not for us."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False

    def _take(self) -> None:
        """Read one byte, at once or not at all, without changing a descriptor that others have, too.

        If we were put into the background just now, reading fails and does not stop us.
        """
        with suppress(OSError):
            own = os.open(os.ttyname(self._fd), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTIN})
            try:
                os.read(own, 1)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
                os.close(own)
