"""The stream worker: named streams over descriptors of the program's own, no command."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable
from contextlib import suppress
from typing import Any, ClassVar, Protocol, TypeAlias

import anyio

from asynctask.errors import TaskStateError, UsageError
from asynctask.outcome import Ended, Outcome
from asynctask.workers.base import Sink, Worker
from asynctask.workers.resources import Resources
from asynctask.workers.writing import HIGH_WATER, Input

__all__ = ("StreamWorker",)

_READ_SIZE = 65536
#: What a pipe that is ready takes without blocking, whatever is in it (POSIX).
_ALWAYS_FITS = select.PIPE_BUF


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


File: TypeAlias = int | _HasDescriptor


class StreamWorker(Worker):
    """Reads and writes files, pipes, sockets or terminals of the program, under names.

    ::

        worker = StreamWorker(handler=Log(), key="console")
        worker.set_reader("console", tty)
        worker.set_writer("commands", pipe)
        task.schedule(worker)

    What comes in is delivered line by line as ``ev_read(worker, key, name, line)``; of streams that are named
    ``"stdout"`` and ``"stderr"`` the output is gathered, too. The worker is over, with outcome ``ok`` and no
    exit status, when all its readers have ended and all its writers are closed; it has one target, its key.

    Args:
        handler: hears the events.
        key: the name of the target.
        stderr: gather what comes on a stream named ``"stderr"``.
        timeout: seconds for the whole of it; ``None``: no limit.
        autoclose: it does not keep the run going.
        **settings: see :class:`~asynctask.Worker`.
    """

    name: ClassVar[str] = "stream"
    announces: ClassVar[bool] = True  # nothing is started

    def __init__(
        self,
        handler: object = None,
        key: str = "streams",
        *,
        stderr: bool = False,
        timeout: float | None = None,
        autoclose: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(
            "", (key,), handler=handler, stderr=stderr, timeout=timeout, autoclose=autoclose, **settings
        )
        self.key = key
        self._readers: dict[str, _End] = {}
        self._writers: dict[str, _End] = {}

    def set_reader(self, sname: str, file: File, retain: bool = True, closefd: bool = True) -> None:
        """Read a stream, before the worker is scheduled.

        Args:
            sname: its name in the events.
            file: a descriptor, or a file object that has one.
            retain: the worker goes on while this stream is open.
            closefd: close it when it has ended. A descriptor that is read and written is closed when both
                have ended.

        Raises:
            TaskStateError: the worker is scheduled.
            UsageError: the name is taken, that is no open file, or it is read already.
        """
        self._add(self._readers, sname, file, retain, closefd)

    def set_writer(self, sname: str, file: File, retain: bool = True, closefd: bool = True) -> None:
        """Write a stream, before the worker is scheduled. The arguments are those of :meth:`set_reader`."""
        self._add(self._writers, sname, file, retain, closefd)
        self._writers[sname].input = Input((sname,))

    def write(self, data: bytes, sname: str | None = None) -> None:
        """Write to a stream, or to all writers if none is named. Never waits; see :meth:`drain`.

        Raises:
            TaskStateError: its end was written before.
            UsageError: there is no such writer, or none at all.
        """
        if not self._writers:
            raise UsageError("the worker has no writer: set_writer() adds one")
        for writer in self._named(sname):
            writer.write(data)

    def set_write_eof(self, sname: str | None = None) -> None:
        """Close a writer, or all of them, after what was written."""
        for writer in self._named(sname):
            writer.end()

    async def drain(self) -> None:
        """Wait until no stream is more than 256 KiB behind what was written."""
        for writer in self._named(None):
            await writer.drain()

    def _named(self, sname: str | None) -> list[Input]:
        if sname is not None and sname not in self._writers:
            raise UsageError(f"no writer {sname!r}: set_writer() adds one")
        chosen = self._writers.values() if sname is None else [self._writers[sname]]
        return [writer.input for writer in chosen if writer.input is not None]

    def _add(self, ends: dict[str, _End], sname: str, file: File, retain: bool, close: bool) -> None:
        if self.scheduled:
            raise TaskStateError("a worker that is scheduled takes no more streams")
        if sname in self._readers or sname in self._writers:
            raise UsageError(f"there is a stream {sname!r} already")
        try:
            fd = file if isinstance(file, int) else file.fileno()
            os.fstat(fd)
        except (OSError, AttributeError, ValueError) as exc:
            raise UsageError(f"stream {sname!r}: {file!r} is no open file: {exc}") from exc
        taken = next((end.name for end in ends.values() if end.fd == fd), None)
        if taken is not None:
            raise UsageError(f"stream {sname!r}: {file!r} is the stream {taken!r} already")
        new = ends[sname] = _End(sname, fd, file, retain, close)
        for end in (*self._readers.values(), *self._writers.values()):
            if end is not new and end.fd == fd:
                end.twin, new.twin = new, end

    def release(self) -> None:
        """Close what was given with ``closefd``, also where the worker was aborted before it started."""
        for end in (*self._readers.values(), *self._writers.values()):
            end.close()

    async def run_target(self, nodes: tuple[str, ...], rank: int, sink: Sink, resources: Resources) -> Ended:
        streams = _Streams(sink)
        try:
            sink.started(streams)
            async with anyio.create_task_group() as group:
                for reader in self._readers.values():
                    streams.read(reader)
                for writer in self._writers.values():
                    group.start_soon(streams.write, writer)
                await streams.wait([*self._readers.values(), *self._writers.values()])
                group.cancel_scope.cancel()
        finally:
            streams.close([*self._readers.values(), *self._writers.values()])
        return Ended(Outcome.OK)


class _End:
    """One stream's descriptor, and whether it is still open."""

    def __init__(self, name: str, fd: int, file: object, retain: bool, closefd: bool) -> None:
        self.name = name
        self.fd = fd
        self.file = file  # kept, so that its descriptor is not closed with it
        self.retain = retain
        self.closefd = closefd
        self.input: Input | None = None
        self.twin: _End | None = None  # the other direction of the same descriptor
        self.open = True
        self._blocking = os.get_blocking(fd)

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        if self.twin is not None and self.twin.open:
            self.twin.closefd |= self.closefd
        elif self.closefd:
            if hasattr(self.file, "close"):
                self.file.close()
            else:
                os.close(self.fd)
        else:
            with suppress(OSError):  # the program may have closed it
                os.set_blocking(self.fd, self._blocking)  # uvloop changes it


class _Streams:
    """The streams of a worker that runs."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._reading: dict[int, Callable[[], None]] = {}  # by descriptor: how its reader is taken up
        self._files: dict[int, asyncio.Handle] = {}  # the next look at each plain file
        self._paused = False
        self._ended = asyncio.Event()

    # -- reading --------------------------------------------------------------------------------

    def read(self, end: _End) -> None:
        """Begin to read a stream."""

        def take_up() -> None:
            try:
                self._loop.add_reader(end.fd, self._readable, end)
            except OSError:  # a plain file: it is always ready, and no loop will say so
                self._files[end.fd] = self._loop.call_soon(self._read_file, end)

        self._reading[end.fd] = take_up
        if not self._paused:
            take_up()

    def _readable(self, end: _End) -> None:
        try:
            chunk = os.read(end.fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # a terminal whose other side is gone says so
            chunk = b""
        if chunk:
            self._sink.data(end.name, chunk)
        else:
            self._stop_reading(end)

    def _read_file(self, end: _End) -> None:
        self._readable(end)
        if end.fd in self._reading and not self._paused:
            self._files[end.fd] = self._loop.call_soon(self._read_file, end)

    def _stop_reading(self, end: _End) -> None:
        if self._reading.pop(end.fd, None) is not None:
            self._remove_reader(end.fd)
            end.close()
            self._ended.set()

    def _remove_reader(self, fd: int) -> None:
        look = self._files.pop(fd, None)
        if look is not None:
            look.cancel()
            return
        with suppress(OSError):
            self._loop.remove_reader(fd)

    def pause_reading(self) -> None:
        """Read no more until :meth:`resume_reading`."""
        self._paused = True
        for fd in self._reading:
            self._remove_reader(fd)

    def resume_reading(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            for take_up in self._reading.values():
                take_up()

    # -- writing --------------------------------------------------------------------------------

    async def write(self, end: _End) -> None:
        """Write all that the program writes to a stream, until its end."""
        assert end.input is not None
        reader = end.input.reader(end.name)
        try:
            async for chunk in reader:
                left = await self._write_chunk(end, memoryview(chunk))
                if left:
                    self._sink.unwritten(end.name, left)
                    break
        finally:
            await reader.aclose()
        end.close()
        self._ended.set()

    async def _write_chunk(self, end: _End, view: memoryview) -> int:
        """Write a chunk; how much of it nobody took."""
        while view:
            try:
                await self._writable(end.fd)
                count = _write_some(end.fd, view)
            except asyncio.CancelledError:  # the worker ends before its input does
                self._sink.unwritten(end.name, len(view))
                raise
            except BlockingIOError:
                continue
            except OSError:
                return len(view)
            view = view[count:]
            self._sink.written(end.name, count)
        return 0

    async def _writable(self, fd: int) -> None:
        ready = asyncio.Event()
        try:
            self._loop.add_writer(fd, ready.set)
        except OSError:  # a plain file
            await asyncio.sleep(0)
            return
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(fd)

    # -- the end --------------------------------------------------------------------------------

    async def wait(self, ends: list[_End]) -> None:
        """Wait until every stream that retains the worker has ended."""
        while any(end.open and end.retain for end in ends):
            self._ended.clear()
            await self._ended.wait()

    def close(self, ends: list[_End]) -> None:
        """Let go of all."""
        for fd in list(self._reading):
            self._remove_reader(fd)
        self._reading.clear()
        for end in ends:
            end.close()


def _write_some(fd: int, view: memoryview) -> int:
    """Write to a descriptor that is ready, without blocking; how much it took."""
    if not os.get_blocking(fd):
        return os.write(fd, view[:HIGH_WATER])
    if not os.isatty(fd):
        return os.write(fd, view[:_ALWAYS_FITS])
    os.set_blocking(fd, False)  # a terminal that is ready may have room for one byte
    try:
        return os.write(fd, view[:_ALWAYS_FITS])
    finally:
        os.set_blocking(fd, True)
