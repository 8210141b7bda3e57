"""A local process in its own process group, driven by callbacks.

It shares no code with :mod:`asynctask.processes` on purpose: the test cluster must not inherit
the faults of what is tested with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from asynctask.testing.terminal import TerminalInput, TerminalRequest, open_terminal, taking

__all__ = ("Owner", "ShellProcess")


class Owner(Protocol):
    """Who is told what the process does. Nothing in it waits."""

    def output(self, fd: int, data: bytes) -> None:
        """The process wrote to its descriptor 1 or 2."""

    def exited(self, returncode: int) -> None:
        """It ended; a negative code is the number of the signal that ended it."""

    def ended(self) -> None:
        """It exited and all of its output was passed on."""

    def gone(self) -> None:
        """It is reaped and its pipes are closed."""

    def stdin_full(self) -> None:
        """Write no more for now; what is written all the same is kept."""

    def stdin_ready(self) -> None:
        """Write again."""


class ShellProcess:
    """What is written or signalled before the process runs reaches it when it does.

    Its streams are pipes, as those of OpenSSH's commands are: with sockets, which event loops like to
    use, ``/dev/stderr`` and its like do not work. It is not started by the loop, because uvloop lets
    the process inherit more than its streams, so that it could not close them.
    """

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._waiting: list[Callable[[], None]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._stdin: asyncio.WriteTransport | TerminalInput | None = None
        self._stdin_full = False
        self._outputs: dict[int, asyncio.ReadTransport] = {}
        self._open_pipes: set[int] = set()
        self._exited = False
        self._finished = False

    async def spawn(
        self,
        *argv: str,
        directory: Path,
        environment: Mapping[str, str],
        terminal: TerminalRequest | None = None,
    ) -> None:
        """Start the process, on a terminal if one is wanted: then there is one output, descriptor 1.

        Raises:
            OSError: it cannot be started.
        """
        with ExitStack() as theirs, ExitStack() as ours:
            if terminal is None:
                streams = await self._open_streams(theirs, ours)
            else:
                streams = await self._open_terminal(terminal, theirs, ours)
                argv = taking(streams[0], *argv)
            self._process = _popen(argv, streams, directory, environment)
            ours.pop_all()
        _call_at_exit(self._process, self._process_exited)
        waiting, self._waiting = self._waiting, []
        for action in waiting:
            action()
        self._check_stdin()

    def write(self, data: bytes) -> None:
        """Write to the process's stdin; lost when the process has closed it."""
        if self._process is None:
            self._owner.stdin_full()
        self._when_running(partial(self._write, data))

    def write_eof(self) -> None:
        """Close the process's stdin after what was written."""
        self._when_running(self._close_stdin)

    def signal(self, number: int) -> None:
        """Send a signal to the process group."""
        self._when_running(partial(self._signal, number))

    def pause_output(self) -> None:
        """Stop reading the process's output, so that it blocks when its pipes are full."""
        for output in self._outputs.values():
            output.pause_reading()

    def resume_output(self) -> None:
        """Read it again."""
        for output in self._outputs.values():
            output.resume_reading()

    def resize(self, columns: int, rows: int) -> None:
        """Tell the process that its terminal, if it has one, is of another size."""
        if isinstance(self._stdin, TerminalInput):
            self._stdin.resize(columns, rows)

    def finish(self) -> None:
        """Kill what is left of the process group and close the pipes; ``gone`` follows."""
        self._when_running(self._finish)

    # -- called by the pipes ----------------------------------------------------------------

    def received(self, fd: int, data: bytes) -> None:
        """Pass on output."""
        self._owner.output(fd, data)

    def pipe_closed(self, fd: int) -> None:
        """Note that a pipe was closed by either side."""
        self._open_pipes.discard(fd)
        self._outputs.pop(fd, None)
        if fd == 0:
            self._stdin = None  # what is still to come is dropped
            self._stdin_full = False
            self._check_stdin()
        else:
            self._check_ended()
        self._check_gone()

    def stdin_paused(self, paused: bool) -> None:
        """Note whether the pipe to the process is full."""
        self._stdin_full = paused
        if paused:
            self._owner.stdin_full()
        else:
            # Not from here: asyncio fails on a pipe that is closed while it resumes it.
            asyncio.get_running_loop().call_soon(self._check_stdin)

    # -- inside -----------------------------------------------------------------------------

    async def _open_streams(self, theirs: ExitStack, ours: ExitStack) -> list[BinaryIO]:
        streams: list[BinaryIO] = []
        for fd in (0, 1, 2):
            reader, writer = _pipe()
            their_end, our_end = (reader, writer) if fd == 0 else (writer, reader)
            streams.append(theirs.enter_context(their_end))
            ours.callback((await self._connect(fd, our_end)).close)
        return streams

    async def _open_terminal(
        self, wanted: TerminalRequest, theirs: ExitStack, ours: ExitStack
    ) -> list[BinaryIO]:
        reader, writer, their_end = open_terminal(wanted)
        theirs.enter_context(their_end)
        self._stdin = TerminalInput(writer, _Input(self))
        self._open_pipes.add(0)
        ours.callback(self._stdin.abort)
        ours.callback((await self._connect(1, reader)).close)
        return [their_end] * 3

    async def _connect(self, fd: int, end: BinaryIO) -> asyncio.BaseTransport:
        loop = asyncio.get_running_loop()
        transport: asyncio.WriteTransport | asyncio.ReadTransport
        with ExitStack() as undo:
            undo.callback(end.close)
            if fd == 0:
                transport, _ = await loop.connect_write_pipe(lambda: _Input(self), end)
                self._stdin = transport
            else:
                transport, _ = await loop.connect_read_pipe(lambda: _Output(self, fd), end)
                self._outputs[fd] = transport
            undo.pop_all()
        self._open_pipes.add(fd)
        return transport

    def _process_exited(self, returncode: int) -> None:
        self._exited = True
        self._owner.exited(returncode)
        self._check_ended()
        self._check_gone()

    def _when_running(self, action: Callable[[], None]) -> None:
        if self._process is None:
            self._waiting.append(action)
        else:
            action()

    def _write(self, data: bytes) -> None:
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.write(data)

    def _close_stdin(self) -> None:
        # As with OpenSSH a terminal does not hear of it: its client sends what ends the input there.
        if isinstance(self._stdin, TerminalInput):
            return
        if self._stdin is not None and not self._stdin.is_closing():
            self._stdin.close()

    def _signal(self, number: int) -> None:
        # The process is reaped last, so until then its id cannot be somebody else's.
        if self._process is not None and not self._finished:
            with suppress(ProcessLookupError, PermissionError):  # macOS: not permitted for a zombie
                os.killpg(self._process.pid, number)

    def _finish(self) -> None:
        self._signal(signal.SIGKILL)
        self._finished = True
        # What the process did not read must not keep the pipe open. asyncio fails on a second close.
        if self._stdin is not None and (not self._stdin.is_closing() or self._stdin.get_write_buffer_size()):
            self._stdin.abort()
        for output in tuple(self._outputs.values()):
            output.close()
        self._check_gone()

    def _check_stdin(self) -> None:
        if self._process is not None and not self._stdin_full:
            self._owner.stdin_ready()

    def _check_ended(self) -> None:
        if self._exited and not self._finished and not self._outputs:
            self._owner.ended()

    def _check_gone(self) -> None:
        if self._process is not None and self._exited and self._finished:
            self._process.wait()  # it has exited, so this only reaps it
            if not self._open_pipes:
                self._owner.gone()


class _Input(asyncio.Protocol):
    """The pipe to the process's stdin."""

    def __init__(self, process: ShellProcess) -> None:
        self._process = process

    def pause_writing(self) -> None:
        self._process.stdin_paused(True)

    def resume_writing(self) -> None:
        self._process.stdin_paused(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.pipe_closed(0)


class _Output(asyncio.Protocol):
    """The pipe from the process's stdout or stderr."""

    def __init__(self, process: ShellProcess, fd: int) -> None:
        self._process = process
        self._fd = fd

    def data_received(self, data: bytes) -> None:
        self._process.received(self._fd, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.pipe_closed(self._fd)


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reader, writer = os.pipe()
    return os.fdopen(reader, "rb", buffering=0), os.fdopen(writer, "wb", buffering=0)


def _popen(
    argv: Sequence[str], streams: Sequence[BinaryIO], directory: Path, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = streams
    return subprocess.Popen(  # noqa: S603 - running what it is told to is what a node is for
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=directory,
        env=environment,
        start_new_session=True,
    )


def _call_at_exit(process: subprocess.Popen[bytes], callback: Callable[[int], None]) -> None:
    """Have ``callback`` called on the running loop with the exit code; the process is not reaped yet."""
    loop = asyncio.get_running_loop()
    try:
        pidfd = os.pidfd_open(process.pid)
    except (AttributeError, OSError):  # not Linux, an old kernel, no descriptors left
        threading.Thread(target=_wait_in_thread, args=(process, loop, callback), daemon=True).start()
        return

    def exited() -> None:
        loop.remove_reader(pidfd)
        os.close(pidfd)
        end = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        callback(end.si_status if end.si_code == os.CLD_EXITED else -end.si_status)

    loop.add_reader(pidfd, exited)


def _wait_in_thread(
    process: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, callback: Callable[[int], None]
) -> None:
    returncode = process.wait()
    with suppress(RuntimeError):  # the loop was closed
        loop.call_soon_threadsafe(callback, returncode)
