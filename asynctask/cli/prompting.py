"""Asks the user for passwords, passphrases and codes, on the terminal and nowhere else.

The question goes to ``/dev/tty`` and the answer comes from there, whatever standard input and output are.
Nothing waits for it but those who need the answer: the loop goes on, so other nodes do. What is typed is not
shown, unless the question says that it may be, and the terminal is as it was before on every way out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

from asynctask.cli.terminal import encoded, visible
from asynctask.errors import UsageError

if TYPE_CHECKING:
    from asynctask.ssh.answers import Question

__all__ = ("Asker", "Pausable", "has_terminal", "read_line")

#: The terminal that controls this process.
TERMINAL = "/dev/tty"
#: Characters of a line that are taken; a terminal takes 4096.
_MOST = 65536


class Pausable(Protocol):
    """What else writes to the terminal; see :class:`~asynctask.cli.screen.Screen`."""

    async def pause(self) -> None:
        """Leave the terminal alone."""

    def resume(self) -> None:
        """Go on."""


def has_terminal(path: str = TERMINAL) -> bool:
    """Whether there is a terminal to ask on, and we are in its foreground: else asking would stop us."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.isatty(fd) and _is_ours(fd)
    finally:
        os.close(fd)


class Asker:
    """Asks one question at a time. It can stand for ``prompt`` of :class:`asynctask.SSHOptions`.

    One of them serves all runs of a program: to a connection pool, options with another prompt are others.

    Args:
        logins: ask also for passwords to log in with. Without, a node that has lost a key does not hold up a
            run that nobody looks at.
        path: the terminal.

    Attributes:
        screen: what has to leave the terminal alone while a question stands there.
    """

    def __init__(self, *, logins: bool = False, path: str = TERMINAL) -> None:
        self.screen: Pausable | None = None
        self._logins = logins
        self._path = path
        self._turn = asyncio.Lock()
        self._asking: asyncio.Task[str | None] | None = None
        self._given: dict[str, str] = {}  # a session asks once, however many commands it runs

    def __repr__(self) -> str:
        return "<Asker>"

    @property
    def asking(self) -> bool:
        """Whether a question stands on the terminal."""
        return self._asking is not None

    async def __call__(self, question: Question) -> str | None:
        """Ask a question of the library; ``None``: there is no answer, or it must not be asked."""
        if question.kind == "password" and not self._logins:
            return None
        text = question.text if question.text.endswith(" ") else f"{question.text} "
        if question.kind in {"password", "sudo"}:
            text = f"{text.rstrip().removesuffix(':')} ({question.node} asks): "
        return await self.ask(text, echo=question.echo)

    async def ask(self, text: str, *, echo: bool = False) -> str | None:
        """Ask the user something.

        Args:
            text: the question; control characters in it are written out.
            echo: whether what is typed may be seen.

        Returns:
            What was typed, without the line end; ``None`` after Ctrl-D, :meth:`stop`, or if there is no
            terminal.

        Has no timeout. Cancelling takes the question away.
        """
        async with self._turn:
            self._asking = asyncio.create_task(self._ask(text, echo))
            try:
                return await self._asking
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                return None  # stopped
            finally:
                self._asking = None

    async def password(self, option: str, text: str) -> str | None:
        """Ask for a password without which nothing can be run; the same is asked for once.

        Args:
            option: what wants it, for the message.
            text: the question.

        Returns:
            ``None`` if the user gave none: nothing is to be run then.

        Raises:
            UsageError: there is no terminal to ask on, or what was typed cannot be a password.
        """
        if option in self._given:
            return self._given[option]
        if not has_terminal(self._path):
            raise UsageError(f"{option}: there is no terminal to ask for the password on")
        answer = await self.ask(text)
        if answer is not None and "\0" in answer:
            raise UsageError(f"{option}: a password has no NUL character")
        if answer is not None:
            self._given[option] = answer
        return answer

    def stop(self) -> None:
        """Take the question away: there is no answer. For a signal that ends what it was asked for."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, text: str, echo: bool) -> str | None:
        if self.screen is not None:
            await self.screen.pause()
        try:
            return await _ask_on(self._path, text, echo)
        finally:
            if self.screen is not None:
                self.screen.resume()


async def _ask_on(path: str, text: str, echo: bool) -> str | None:
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _is_ours(fd):
            return None
        with _modes(fd, echo):
            _show(fd, visible(encoded(text.replace("\n", " "))))
            line: bytes | None = None
            try:
                line = await read_line(fd)
            finally:
                if not echo or line is None or not line.endswith(b"\n"):
                    _show(fd, b"\n")
    except (OSError, termios.error):  # the terminal is gone
        return None
    finally:
        os.close(fd)
    if not line:
        return None
    return line.removesuffix(b"\n").decode(errors="surrogateescape")


async def read_line(fd: int) -> bytes:
    """A line from a terminal that hands over whole lines; nothing at the end.

    The terminal is opened anew, so that who has it too sees no change. Cancelling leaves what was typed.
    """
    loop = asyncio.get_running_loop()
    own = os.open(os.ttyname(fd), os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    ready = asyncio.Event()
    try:
        loop.add_reader(own, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                with suppress(BlockingIOError):
                    return os.read(own, _MOST)
        finally:
            loop.remove_reader(own)
    finally:
        os.close(own)


@contextmanager
def _modes(fd: int, echo: bool) -> Iterator[None]:
    """Have the terminal hand over lines, with or without showing them, until the block is left.

    Who was stopped and goes on finds the modes of the shell: then they are set again. SIGQUIT ends the
    program at once, but not before they are as they were.
    """
    before = termios.tcgetattr(fd)
    asking = list(before)
    asking[3] |= termios.ICANON | termios.ISIG
    asking[3] = asking[3] | termios.ECHO if echo else asking[3] & ~termios.ECHO
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCONT, _set, fd, asking)
    quits = signal.getsignal(signal.SIGQUIT) is signal.SIG_DFL
    if quits:
        loop.add_signal_handler(signal.SIGQUIT, _quit, fd, before)
    try:
        _set(fd, asking, termios.TCSAFLUSH)  # what was typed before is no answer
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCONT)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)
        _set(fd, before)
        if quits:
            loop.remove_signal_handler(signal.SIGQUIT)


def _quit(fd: int, modes: list[object]) -> None:
    _set(fd, modes)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGQUIT)


def _set(fd: int, modes: list[object], when: int = termios.TCSADRAIN) -> None:
    """Set modes; if we are in the background, too, and then it must not stop us."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with suppress(termios.error):
            termios.tcsetattr(fd, when, modes)  # type: ignore[arg-type]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _is_ours(fd: int) -> bool:
    """Whether we are in the foreground of the terminal."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False


def _show(fd: int, data: bytes) -> None:
    with suppress(OSError):
        os.write(fd, data)
