"""The loop of the interactive mode: read a line, do it, until the end."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from asynctask.cli.interactive.lines import LineClearedError, Lines
from asynctask.cli.interactive.past_lines import PastLines
from asynctask.cli.interactive.typed import HELP, Choose, Local, Remote, read_typed
from asynctask.cli.request import Request
from asynctask.cli.signals import EXIT_SIGNAL
from asynctask.cli.terminal import STDERR, STDOUT, encoded, is_terminal, visible
from asynctask.errors import AsyncTaskError, UsageError

if TYPE_CHECKING:
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("LOCAL", "Run", "Shell")

#: The label of what runs here.
LOCAL = "LOCAL"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: A run was stopped by Ctrl-C.
_STOPPED = EXIT_SIGNAL + signal.SIGINT
_GATHERING = ("gather", "gather_both", "by_node", "diff", "similar")
#: What of a request is about the display: it holds for commands here, too.
_SHOWN = (*_GATHERING, "no_label", "color", "verbosity", "node_count", "outliers")


class Run(Protocol):
    """Carries out a request."""

    def __call__(self, request: Request, *, pool: ConnectionPool | None) -> Awaitable[int]:
        """The exit status; 130 if Ctrl-C stopped it. It handles signals by itself."""


class Shell:
    """One session.

    Args:
        request: the targets to begin with, and how commands are run and shown.
        run: runs a command.
        lines: where lines come from.
        past: keeps them.
        pool: makes the pool in which connections are kept between commands; called once, when needed.
    """

    def __init__(
        self,
        request: Request,
        run: Run,
        lines: Lines,
        past: PastLines,
        pool: Callable[[], ConnectionPool],
    ) -> None:
        # Without maxrc an exit status above 128 can only be a signal's.
        self._request = replace(request, maxrc=False)
        self._run = run
        self._lines = lines
        self._past = past
        self._make_pool = pool
        self._pool: ConnectionPool | None = None
        self._gathering: dict[str, Any] = {name: getattr(request, name) for name in _GATHERING}
        if not request.at_end:
            self._gathering["gather"] = True
        self._reading: asyncio.Task[str] | None = None
        self._signal: signal.Signals | None = None
        self._said_why_not_kept = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The nodes that commands run on."""
        return self._request.targets

    async def run(self) -> int:
        """Until the user has enough: the exit status, 0, or that of the signal that ended it.

        Raises:
            OSError: what nodes print cannot be shown any more.
        """
        self._catch_signals()
        try:
            return await self._session()
        finally:
            loop = asyncio.get_running_loop()
            for number in _SIGNALS:
                if loop.remove_signal_handler(number):
                    signal.signal(number, signal.SIG_DFL)
            if self._pool is not None:
                await self._pool.aclose()

    async def _session(self) -> int:
        while self._signal is None:
            text = await self._next()
            if text is None and self._signal is None:
                return 0
            for line in (text or "").splitlines():  # several, if they were pasted
                self._keep(line)
                status = await self._do(line)
                if status is not None and status != _STOPPED:
                    return status
                if status == _STOPPED:
                    break
        return EXIT_SIGNAL + self._signal

    async def _next(self) -> str | None:
        """What was typed; nothing after Ctrl-C, ``None`` at the end."""
        self._reading = asyncio.create_task(self._lines.read())
        try:
            return await self._reading
        except LineClearedError:
            return ""
        except EOFError:
            self._complain("")  # the prompt of who called us begins on a line of its own
            return None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._complain("")
            return ""
        finally:
            self._reading = None

    def _catch_signals(self) -> None:
        """A run takes them over, and leaves none behind."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: signal.Signals) -> None:
        if number != signal.SIGINT:
            self._signal = signal.Signals(number)
        if self._reading is not None:
            self._reading.cancel()

    def _keep(self, line: str) -> None:
        self._past.add(line)
        if self._past.error is not None and not self._said_why_not_kept:
            self._said_why_not_kept = True
            reason = self._past.error.strerror or str(self._past.error)
            self._complain(f"asynctask: what you type is not kept for the next time: {reason}")

    # -- what a line asks for -----------------------------------------------------------------------

    async def _do(self, line: str) -> int | None:
        """Do what a line says; the exit status if that is the end, or 130 if Ctrl-C stopped it."""
        try:
            typed = read_typed(line)
            if isinstance(typed, Remote):
                return await self._start(replace(self._request, command=typed.command))
            if isinstance(typed, Local):
                return await self._start(self._here(typed.command))
            if isinstance(typed, Choose):
                await self._choose(typed)
            elif typed == "help":
                _tell(HELP)
            elif typed == "nodes":
                self._show_nodes()
            elif typed == "gather":
                self._toggle()
            elif typed == "quit":
                return 0
        except AsyncTaskError as exc:
            self._complain(f"asynctask: {exc}")
        return None

    async def _start(self, request: Request) -> int | None:
        pool = None
        if request.worker == "ssh":
            pool = self._pool = self._pool or self._make_pool()
        try:
            status = await self._run(request, pool=pool)
        except OSError as exc:
            if exc.errno in {errno.EPIPE, errno.EIO}:  # nobody reads what is shown
                raise
            self._complain(
                f"asynctask: {exc.filename or ''}{': ' if exc.filename else ''}{exc.strerror or exc}"
            )
            status = 1
        finally:
            self._catch_signals()
        return status if status > EXIT_SIGNAL else None

    def _here(self, command: str) -> Request:
        """A command for this machine: shown as others are, and no part of what is about nodes."""
        shown = {name: getattr(self._request, name) for name in _SHOWN}
        return Request(
            targets=(LOCAL,),
            command=command.replace("%", "%%"),  # placeholders are for nodes
            worker="exec",
            nostdin=True,
            history=False,
            **shown,
        )

    async def _choose(self, choice: Choose) -> None:
        source = self._request.groupsource
        present = self._request.targets
        chosen = await asyncio.to_thread(_chosen, choice, present, source)
        self._request = replace(self._request, targets=chosen)
        self._show_nodes()

    def _show_nodes(self) -> None:
        from asynctask import nodes

        request = self._request
        shown = nodes.fold(request.targets)
        if request.regroup:
            with suppress(AsyncTaskError):  # a command will say what is wrong with the groups
                shown = nodes.regroup(request.targets, request.groupsource)
        count = len(request.targets)
        _tell(f"{shown} ({count})" if count > 1 else shown)

    def _toggle(self) -> None:
        if self._request.at_end:
            nothing: dict[str, Any] = dict.fromkeys(_GATHERING, False)
            self._request = replace(self._request, **nothing)
            _tell("output is shown as it comes")
        else:
            self._request = replace(self._request, **self._gathering)
            _tell("output is gathered")

    def _complain(self, text: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            _write(STDERR, text)


def _chosen(choice: Choose, present: tuple[str, ...], source: str | None) -> tuple[str, ...]:
    """The nodes after a choice.

    Raises:
        AsyncTaskError: the set cannot be read, or nothing would be left.
    """
    from asynctask import nodes

    named = nodes.expand(choice.nodes, source)
    if choice.how == "@":
        return named
    if choice.how == "+":
        return tuple(dict.fromkeys((*present, *named)))
    unwanted = frozenset(named)
    left = tuple(node for node in present if node not in unwanted)
    if not left:
        raise UsageError("no node would be left; choose others with @NODES")
    if len(left) == len(present):
        raise UsageError(f"{choice.nodes}: none of these is chosen; ? shows which are")
    return left


def _tell(text: str) -> None:
    _write(STDOUT, text)


def _write(fd: int, text: str) -> None:
    data = encoded(text) + b"\n"
    view = memoryview(visible(data) if is_terminal(fd) else data)
    while view:
        view = view[os.write(fd, view) :]
