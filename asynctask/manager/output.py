"""What the processes of a manager print: to readers, to listeners, into files.

Every chunk goes through an :class:`Outlet`, one a process. It is cut into blocks of whole lines; single lines
are made of them only where somebody wants lines: a process that prints a great deal costs little while nobody
looks. Log files get the bytes as they came.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import Protocol

import anyio

from asynctask.emitter import EventEmitter
from asynctask.errors import TaskStateError, UsageError
from asynctask.manager.information import OutputLine
from asynctask.manager.log_thread import LogWriter
from asynctask.manager.output_blocks import Assembler, Block, History, Printer, last_lines
from asynctask.manager.output_events import LineEvents
from asynctask.manager.output_logs import LogInlet, Logs
from asynctask.manager.output_streams import OutputStream, Readers
from asynctask.manager.output_watch import LineWatch
from asynctask.manager.template import ProcessTemplate

__all__ = ("CLOSING_SECONDS", "Outlet", "OutputHub", "OutputStream", "Source")

#: How long ``aclose()`` waits for log files, in seconds.
CLOSING_SECONDS = 5.0


class Source(Protocol):
    """Where output comes from: a ``Running``."""

    def pause_reading(self) -> None:
        """Read no more for now."""

    def resume_reading(self) -> None:
        """Read again."""


class Outlet:
    """Takes what one process prints. Made by :meth:`OutputHub.outlet`; needs :meth:`close`."""

    def __init__(
        self,
        hub: OutputHub,
        channel: _Channel,
        printer: Printer,
        template: ProcessTemplate,
        source: Source | None,
    ) -> None:
        self.printer = printer
        self._hub = hub
        self._channel = channel
        self._template = template
        self._source = source
        self._ways: dict[str, tuple[Assembler, LogInlet | None]] = {}
        self._holding: dict[LogWriter, None] = {}
        self._watches: list[LineWatch] = []
        self._closed = False
        if template.readiness.line is not None:
            self._watches.append(LineWatch(template.readiness.line))

    @property
    def source(self) -> Source | None:
        """Whom to pause while its log files are behind; may be set at any time."""
        return self._source

    @source.setter
    def source(self, source: Source | None) -> None:
        self._source = source
        if source is not None and self._holding:
            source.pause_reading()

    def output(self, stream: str, chunk: bytes) -> None:
        """Take some output, cut anywhere. Never waits. After :meth:`close` it goes nowhere."""
        if self._closed or not chunk:
            return
        way = self._ways.get(stream)
        if way is None:
            way = self._ways[stream] = (
                Assembler(),
                self._hub.logs.inlet(self, self.printer, stream, self._template),
            )
        assembler, inlet = way
        if inlet is not None:
            inlet.put(chunk)
        if lines := assembler.lines(chunk):
            self._hub.deliver(self, stream, lines)
        if piece := assembler.piece():
            self._hub.deliver(self, stream, piece, is_piece=True)

    def look(self, block: Block) -> None:
        """Have those look at a block who wait for a line."""
        for watch in self._watches:
            if not watch.over:
                watch.look(block)

    async def wait_line(self, regex: str) -> bool:
        """Wait for a line of any stream in which ``regex`` is found.

        For the expression of the template's readiness lines count from the first; for others, from now on.

        Returns:
            False: the outlet was closed, and there was none.
        """
        watch = next((each for each in self._watches if each.regex == regex), None)
        if watch is None:
            watch = LineWatch(regex)
            self._watches.append(watch)
        if self._closed:
            watch.end()
        try:
            return await watch.wait()
        finally:
            if watch in self._watches:
                self._watches.remove(watch)

    def close(self) -> None:
        """No more comes: hand on the unfinished lines, let go of the files. Again does nothing."""
        if self._closed:
            return
        self._closed = True
        for stream, (assembler, inlet) in self._ways.items():
            if rest := assembler.rest():
                self._hub.deliver(self, stream, rest)
            if inlet is not None:
                inlet.close()
        for watch in self._watches:
            watch.end()
        self._holding.clear()
        self._source = None
        self._hub.outlet_closed(self)

    # -- for the log files --------------------------------------------------------------------

    def hold(self, writer: LogWriter) -> None:
        """A log file is behind."""
        if not self._holding and self._source is not None:
            self._source.pause_reading()
        self._holding[writer] = None

    def release(self, writer: LogWriter) -> None:
        """It has caught up."""
        if self._holding.pop(writer, self) is None and not self._holding and self._source is not None:
            self._source.resume_reading()


class _Channel:
    """The output of a template."""

    def __init__(self, name: str) -> None:
        self.topic = f"output.{name}"
        self.history = History()
        self.readers = Readers()


class OutputHub:
    """Where the output of all processes of a manager goes through.

    Args:
        emitter: gets ``output.<name>`` events while somebody hears them, and ``proc.<name>.warning``.
        clock: the time of lines.
    """

    def __init__(self, emitter: EventEmitter, *, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._events = LineEvents(emitter)
        self._channels: dict[str, _Channel] = {}
        self._everything = Readers()
        self._outlets: dict[Outlet, None] = {}
        self._number = 0
        self._closed = False
        self.logs = Logs(emitter)

    def outlet(
        self,
        name: str,
        pid: int,
        index: int | None,
        node: str | None,
        template: ProcessTemplate,
        source: Source | None = None,
    ) -> Outlet:
        """Where the output of a process goes. Opens no file: that is done in a thread, at its first output.

        Raises:
            TaskStateError: the hub is closed.
        """
        if self._closed:
            raise TaskStateError("the manager has ended: nobody takes output any more")
        outlet = Outlet(self, self._channel(name), Printer(name, pid, index, node), template, source)
        self._outlets[outlet] = None
        return outlet

    def _channel(self, name: str) -> _Channel:
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = _Channel(name)
        return channel

    # -- for the outlets ----------------------------------------------------------------------

    def deliver(self, outlet: Outlet, stream: str, lines: bytes, *, is_piece: bool = False) -> None:
        """Hand whole lines on to everybody."""
        self._number += 1
        block = Block(outlet.printer, stream, lines, self._clock(), self._number, is_piece)
        channel = outlet._channel
        channel.history.add(block)
        if channel.readers:
            channel.readers.put(block)
        if self._everything:
            self._everything.put(block)
        if outlet._watches:
            outlet.look(block)
        if self._events.hears(channel.topic):
            self._events.put(block)

    def outlet_closed(self, outlet: Outlet) -> None:
        """A process will print nothing more: its last lines are told before its end is."""
        del self._outlets[outlet]
        self._events.publish()

    # -- reading ------------------------------------------------------------------------------

    def open(self, name: str | None = None, history: int = 0, maxsize: int = 10_000) -> OutputStream:
        """Read lines of a template, or of all, from now on, and the last ``history`` ones before.

        A reader that falls behind slows nobody: of the lines that wait for it the oldest are dropped, and
        counted, when they are more than ``maxsize`` (or than 32 MiB). It ends after :meth:`forget` of its
        template, and :meth:`aclose`.

        Raises:
            UsageError: no such numbers.
        """
        if not isinstance(history, int) or isinstance(history, bool) or history < 0:
            raise UsageError(f"history={history!r}: how many lines, 0 or more")
        stream = OutputStream(self.tail(name, history), maxsize)
        if self._closed:
            stream.close()
        elif name is None:
            self._everything.add(stream)
        else:
            self._channel(name).readers.add(stream)
        return stream

    def tail(self, name: str | None, n: int) -> list[OutputLine]:
        """The last lines of a template, or of all, of those that are kept (256 KiB a template)."""
        if name is None:
            return last_lines((channel.history for channel in self._channels.values()), n)
        channel = self._channels.get(name)
        return [] if channel is None else last_lines([channel.history], n)

    @property
    def missed_events(self) -> int:
        """How many lines were not published, because their listeners were too slow."""
        return self._events.missed

    def forget(self, name: str) -> None:
        """A template is gone: drop its history, end its readers."""
        channel = self._channels.pop(name, None)
        if channel is not None:
            channel.readers.close()

    # -- its end ------------------------------------------------------------------------------

    async def flush(self, timeout: float = CLOSING_SECONDS) -> bool:
        """Wait until what came so far is in its files; whether it is, after ``timeout`` seconds at most."""
        with anyio.move_on_after(timeout):
            await self.logs.idle()
            return True
        return False

    async def aclose(self) -> None:
        """End the readers, write what is left (5 s at most, also when cancelled), close the files."""
        if self._closed:
            return
        self._closed = True
        for outlet in list(self._outlets):
            outlet.close()
        for channel in self._channels.values():
            channel.readers.close()
        self._everything.close()
        self._events.close()
        await self.logs.aclose(CLOSING_SECONDS)
