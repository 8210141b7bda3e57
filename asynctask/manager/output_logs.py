"""Which stream goes into which file; several may share one."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from asynctask.emitter import EventEmitter
from asynctask.manager.log_thread import Feeder, LogThreads, LogWriter
from asynctask.manager.logfiles import RotatingFile, StandardStream, log_path
from asynctask.manager.messages import Publisher
from asynctask.manager.output_blocks import Assembler, Printer
from asynctask.manager.template import LogFile, ProcessTemplate
from asynctask.waiting import wait_out

__all__ = ("LogInlet", "Logs")

_log = logging.getLogger(__name__)

_STANDARD = {"stdout": 1, "stderr": 2}


class _File:
    """A file, and who feeds it."""

    def __init__(self, logs: Logs, key: Path | int, printer: Printer, log: LogFile | None) -> None:
        self.key = key
        self.printer = printer
        self.feeding = 0
        self._logs = logs
        if isinstance(key, int) or log is None:
            target: RotatingFile | StandardStream = StandardStream(1 if key == 1 else 2)
        else:
            target = RotatingFile(key, log, warn=self._warn_from_thread)
        self.writer = LogWriter(target, logs.threads, warn=self._warn, closed=self._closed)

    def _warn_from_thread(self, text: str) -> None:
        self._logs.threads.tell(self._warn, text)

    def _warn(self, text: str) -> None:
        self._logs.warn(self.printer, text)

    def _closed(self, writer: LogWriter) -> None:
        self._logs.closed(self)


class LogInlet:
    """Feeds one stream of a process into its file. Made by :meth:`Logs.inlet`; needs :meth:`close`.

    Bytes go in as they come, unless several streams feed the file: then in whole lines, so that none is torn.
    """

    __slots__ = ("_assembler", "_feeder", "_file")

    def __init__(self, file: _File, feeder: Feeder) -> None:
        self._file = file
        self._feeder = feeder
        self._assembler: Assembler | None = None
        file.feeding += 1

    def put(self, chunk: bytes) -> None:
        """Have a chunk written."""
        if self._assembler is None and self._file.feeding > 1:
            self._assembler = Assembler()
        if self._assembler is not None:
            chunk = self._assembler.lines(chunk) + self._assembler.piece()
        if chunk:
            self._file.writer.put(chunk, self._feeder)

    def close(self) -> None:
        """No more comes."""
        file = self._file
        if self._assembler is not None and (rest := self._assembler.rest()):
            file.writer.put(rest + b"\n", self._feeder)
        file.writer.let_go(self._feeder)
        file.feeding -= 1
        if not file.feeding:
            file.writer.close()


class Logs:
    """The log files of a hub.

    Args:
        emitter: warnings are events; one that nobody hears is logged.
    """

    def __init__(self, emitter: EventEmitter) -> None:
        self.threads = LogThreads()
        self._emitter = emitter
        self._publisher = Publisher(emitter)
        self._files: dict[Path | int, _File] = {}
        self._all_closed: asyncio.Event | None = None  # when somebody waits for that

    def inlet(
        self, feeder: Feeder, printer: Printer, stream: str, template: ProcessTemplate
    ) -> LogInlet | None:
        """Where a stream is written to, if it is."""
        if stream == "stderr" and template.stderr == "stdout":  # nobody has brought them together before
            stream = "stdout"
        redirect = {"stdout": template.stdout, "stderr": template.stderr}.get(stream, "pipe")
        log = redirect if isinstance(redirect, LogFile) else None
        key: Path | int
        if log is not None:
            key = log_path(
                log.path,
                name=printer.name,
                index=printer.index,
                node=printer.node,
                stream=stream,
                cwd=template.cwd,
            )
        elif redirect == "inherit":
            key = _STANDARD[stream]
        else:
            return None
        file = self._files.get(key)
        if file is None or not file.writer.reopen():
            file = self._files[key] = _File(self, key, printer, log)
        file.printer = printer
        return LogInlet(file, feeder)

    def warn(self, printer: Printer, text: str) -> None:
        """Tell of something that the operator should know."""
        if not self._emitter.hears(f"proc.{printer.name}.warning"):
            _log.warning("process %d of %s: %s", printer.pid, printer.name, text)
        self._publisher.process("warning", printer.name, printer.node, pid=printer.pid, text=text)

    def closed(self, file: _File) -> None:
        """A file was closed."""
        if self._files.get(file.key) is file:
            del self._files[file.key]
        if self._all_closed is not None and not self._files:
            self._all_closed.set()

    async def idle(self) -> None:
        """Wait until all is written."""
        for file in list(self._files.values()):
            await file.writer.idle()

    async def aclose(self, timeout: float) -> None:
        """Wait until all files are closed and the threads gone; nothing cancels it. Their inlets are closed.

        Args:
            timeout: seconds; afterwards, what hangs is left alone.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        self._all_closed = asyncio.Event()
        timer = loop.call_later(timeout, self._all_closed.set)
        for file in self._files.values():
            file.writer.hurry()
        try:
            if self._files:
                await wait_out(self._all_closed)
        finally:
            timer.cancel()
            for file in self._files.values():
                file.writer.abandon()
            await self.threads.aclose(max(0.1, deadline - loop.time()))
