"""Carries out ``asynctask replay``: reads the record, shows it, the exit status."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

import anyio

from asynctask.cli.loop import run_loop
from asynctask.cli.output.choosing import displays
from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.directories import DirectoriesView, make_directories
from asynctask.cli.output.records import EventsView, JsonView
from asynctask.cli.output.records_read import Item, RecordError, RecordReader, RunBegan
from asynctask.cli.output.replayed import ReplayedRun
from asynctask.cli.output.schema import RunStart
from asynctask.cli.output.style import Style
from asynctask.cli.output.summary import exit_status, failure_lines, summary_line
from asynctask.cli.request import Request
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.view import View

__all__ = ("Pace", "Replay", "replay")

EXIT_ERROR = 1
_CHUNK = 1 << 16
_STDIN = "-"
_sleep = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What the user wants to see."""

    path: str
    """The file; ``-`` for standard input."""
    request: Request
    """How it is shown; what is run comes from the record."""
    speed: float | None = None
    """So many times as fast as the run was; ``None``: as fast as it can be read."""


def replay(wanted: Replay) -> int:
    """Show a record; the exit status.

    Raises:
        RecordError: the file is no record of a run, or of a later version.
        UsageError: a directory for output cannot be made.
        OSError: it cannot be read, or standard output not be written.
    """
    make_directories(wanted.request.outdir, wanted.request.errdir)
    if wanted.path == _STDIN:
        return run_loop(_Replaying(wanted, 0, "standard input").run())
    fd = os.open(wanted.path, os.O_RDONLY)
    try:
        return run_loop(_Replaying(wanted, fd, wanted.path).run())
    finally:
        os.close(fd)


def views_of(request: Request, screen: Screen, style: Style, clock: RecordClock) -> Sequence[View]:
    """What shows a run as ``request`` has it."""
    views: list[View] = []
    if request.json:
        views.append(JsonView(screen, clock))
    elif request.events:
        views.append(EventsView(screen, clock))
    else:
        views += displays(request, screen, request.targets, style)
    if request.outdir is not None or request.errdir is not None:
        views.append(DirectoriesView(screen, request.outdir, request.errdir))
    return views


class Pace:
    """When to show what happened when, if a run is shown in time.

    Args:
        speed: so many times as fast as it was.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._first: tuple[int, float] | None = None

    def delay(self, time: int, now: float) -> float:
        """Seconds from ``now``, by any clock, to what happened at ``time``, in microseconds."""
        if self._first is None:
            self._first = time, now
        first, began = self._first
        return max(0.0, began + (time - first) / 1_000_000 / self._speed - now)


class _Replaying:
    """One command line's work."""

    def __init__(self, wanted: Replay, fd: int, name: str) -> None:
        self._request = wanted.request
        self._speed = wanted.speed
        self._fd = fd
        self._name = name
        self._reader = RecordReader(name)
        self._pace: Pace | None = None
        self._run = self._new_run()
        self._status = 0
        self._whole = True  # whether all runs have an end
        self._headless = False  # whether one of them has no beginning
        self._caught: list[signal.Signals] = []

    async def run(self) -> int:
        self._scope = anyio.CancelScope()
        self._screen = Screen(None, self._scope.cancel)
        self._style = Style.of(self._request, self._screen)
        error: RecordError | None = None
        try:
            with signals_handled(self._interrupted):
                with self._scope:
                    try:
                        await self._read()
                    except RecordError as exc:
                        error = exc
                if self._run.begun:
                    await self._close_run()
                self._complain()
        finally:
            await self._screen.close()
        if self._caught:
            return EXIT_SIGNAL + self._caught[0]
        if self._screen.error is not None:
            raise self._screen.error
        if error is not None:
            raise error
        if self._headless or not self._whole or self._reader.damaged:
            return EXIT_ERROR
        return self._status if self._request.maxrc else 0

    # -- what is read ---------------------------------------------------------------------------

    async def _read(self) -> None:
        async for chunk in _chunks(self._fd, self._name):
            for item in self._reader.feed(chunk):
                await self._take(item)
        for item in self._reader.end():
            await self._take(item)

    async def _take(self, item: Item) -> None:
        if self._run.begun and (isinstance(item, RunBegan) or self._run.status is not None):
            await self._close_run()  # several records, one after the other
        if self._pace is not None:
            await _sleep(self._pace.delay(item.time, asyncio.get_running_loop().time()))
        await self._run.take(item)

    # -- what is shown --------------------------------------------------------------------------

    def _new_run(self) -> ReplayedRun:
        request = self._request
        self._pace = None if self._speed is None else Pace(self._speed)
        clock = RecordClock()
        return ReplayedRun(
            clock,
            lambda run: self._views(run, clock),
            keep=request.at_end or request.json,
            merge=request.gather_both,
            whole=request.events or (request.by_node and (request.gather or request.gather_both)),
        )

    def _views(self, run: RunStart, clock: RecordClock) -> Sequence[View]:
        request = replace(
            self._request,
            targets=run.nodes or (),
            command=run.command,
            copying=run.copying,
            worker=run.worker,
        )
        return views_of(request, self._screen, self._style, clock)

    async def _close_run(self) -> None:
        """The run is shown to its end, as far as the record goes."""
        run, self._run = self._run, self._new_run()
        if run.status is None:
            await run.finish()
            self._whole = False
        self._headless |= run.headless
        self._status = max(self._status, run.status or exit_status(run.results))
        if self._screen.error is not None or (self._request.quiet and self._request.maxrc):
            return
        await self._style.ready(self._screen, run.results)
        lines = list(failure_lines(run.results, self._style.titles, every=self._request.verbose))
        for line in lines:
            self._screen.say(f"asynctask: {line}")
        if len(lines) > 1 or self._request.verbose:
            self._screen.say(f"asynctask: {summary_line(run.results, self._style.titles, run.attempts)}")

    def _complain(self) -> None:
        """Say what of the record is missing."""
        reader = self._reader
        if reader.damaged:
            more = f", and {reader.damaged - 1} more after it" if reader.damaged > 1 else ""
            self._screen.say(
                f"asynctask: {self._name}: line {reader.first_damaged} is damaged{more}: left out"
            )
        if self._headless:
            self._screen.say(f"asynctask: {self._name}: the record has no beginning: what is there is shown")
        if not self._whole and not self._caught and self._screen.error is None:
            where = " in the middle of a line" if reader.cut_off else ""
            self._screen.say(f"asynctask: {self._name}: the record is cut off{where}: what is there is shown")

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal ends the reading, the next leaves out what nobody reads."""
        self._caught.append(number)
        self._scope.cancel()
        if len(self._caught) > 1:
            self._screen.give_up()


async def _chunks(fd: int, name: str) -> AsyncIterator[bytes]:
    """What is in a file, or comes through a pipe, as it comes."""
    mode = os.fstat(fd).st_mode
    comes = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd)
    blocking = os.get_blocking(fd)
    try:
        while True:
            if comes:
                await _readable(fd)
            else:
                await asyncio.sleep(0)
            try:
                chunk = os.read(fd, _CHUNK)
            except BlockingIOError:  # somebody else was faster
                continue
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, name) from exc
            if not chunk:
                return
            yield chunk
    finally:
        os.set_blocking(fd, blocking)  # which event loops change, also for others who have it


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
