"""Starts a program: descriptors, ``subprocess``, and the gate before it if there has to be one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio

from asynctask.errors import LaunchError
from asynctask.manager.local import gates
from asynctask.manager.local.failures import check_program, explained
from asynctask.manager.local.limits import set_limits
from asynctask.manager.local.programs import Program, Target
from asynctask.manager.local.streams import Input
from asynctask.processes import StdinPipe

__all__ = ("Child", "end_at_once", "spawn")

#: Seconds that the Python before a program may take: it is loaded from a disk that may be busy.
_GATE_WAIT = 30.0
#: Seconds that a process may take to vanish after KILL, and between two looks whether it has.
_KILL_WAIT, _LOOK = 2.0, 0.002
_PLACES: Mapping[str, int | None] = {
    "inherit": None,
    "null": subprocess.DEVNULL,
    "stdout": subprocess.STDOUT,
}


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started, and our ends of its streams."""

    popen: subprocess.Popen[bytes]
    outputs: Sequence[tuple[int, str]]
    """Descriptors to read from, and the names of the streams."""
    inputs: Mapping[str, Input]


async def spawn(program: Program, born: Callable[[int], None]) -> Child:
    """Start a program as the leader of a session and group of its own.

    Args:
        program: what to start.
        born: called with the number of the process as soon as there is one.

    Raises:
        LaunchError: it could not be started, and why.

    Cancelling starts nothing, or ends what was started.
    """
    ends = _Ends()
    try:
        places = _standard_streams(program, ends)
        if gates.needs_python(program):
            popen = await _by_python(program, ends, places, born)
        elif gates.needs_shell(program):
            popen = await _by_shell(program, ends, places, born)
        else:
            popen = _popen(program, program.argv, places, **_as_whom(program))
            born(popen.pid)
        return ends.handed_over(popen)
    except (OSError, ValueError) as exc:  # of values: an argument that no system takes
        raise explained(exc, program) from exc
    finally:
        ends.close()


async def end_at_once(popen: subprocess.Popen[bytes]) -> None:
    """Kill a process with its group, and reap it. It takes ``_KILL_WAIT`` seconds at most."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(popen.pid, signal.SIGKILL)
    with anyio.move_on_after(_KILL_WAIT, shield=True):
        while popen.poll() is None:  # noqa: ASYNC110 - it is a matter of microseconds
            await anyio.sleep(_LOOK)


# -- descriptors ------------------------------------------------------------------------------------------


class _Ends:
    """The descriptors of a process that is being started: ours and its own."""

    def __init__(self) -> None:
        self._theirs: list[int] = []
        self._loose: list[int] = []
        self._outputs: list[tuple[int, str]] = []
        self._inputs: list[tuple[int, str, bool]] = []

    def output(self, stream: str) -> int:
        """A pipe that we read; its other end."""
        ours, theirs = os.pipe()
        self._outputs.append((ours, stream))
        self._theirs.append(theirs)
        return theirs

    def input(self, stream: str) -> int:
        """A pipe that we write to; its other end."""
        theirs, ours = os.pipe()
        self._theirs.append(theirs)
        self._inputs.append((ours, stream, False))
        os.set_blocking(ours, False)
        return theirs

    def loose(self, *, ours_reads: bool) -> tuple[int, int]:
        """A pipe for the time of starting alone: our end, and the other. Ours does not block."""
        reader, writer = os.pipe()
        ours, theirs = (reader, writer) if ours_reads else (writer, reader)
        self._loose.append(ours)
        self._theirs.append(theirs)
        os.set_blocking(ours, False)
        return ours, theirs

    def input_of(self, stream: str) -> int:
        """Our end of an input."""
        return next(fd for fd, name, _ in self._inputs if name == stream)

    def both_ways(self, stream: str) -> int:
        """A pair of sockets, for both directions; the other end."""
        ours, theirs = (each.detach() for each in socket.socketpair())
        self._theirs.append(theirs)
        self._outputs.append((ours, stream))
        os.set_blocking(ours, False)
        self._inputs.append((os.dup(ours), stream, True))
        return theirs

    def release(self, fd: int) -> None:
        """Close our end of a loose pipe."""
        self._loose.remove(fd)
        os.close(fd)

    def close_theirs(self) -> None:
        """They have been inherited."""
        _close(self._theirs)

    def handed_over(self, popen: subprocess.Popen[bytes]) -> Child:
        """The process, with our ends of its streams, which are not ours to close any more."""
        inputs = {stream: Input(fd, is_socket=both) for fd, stream, both in self._inputs}
        outputs, self._outputs, self._inputs = self._outputs, [], []
        return Child(popen, outputs, inputs)

    def close(self) -> None:
        """Let go of what was not handed over."""
        _close(self._theirs)
        _close(self._loose)
        _close([fd for fd, _ in self._outputs])
        _close([fd for fd, _, _ in self._inputs])


def _close(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())


def _standard_streams(program: Program, ends: _Ends) -> dict[str, Any]:
    """What ``subprocess`` is told of the first three descriptors."""
    return {
        "stdin": ends.input("stdin") if program.stdin else subprocess.DEVNULL,
        "stdout": _place(program.stdout, "stdout", ends),
        "stderr": _place(program.stderr, "stderr", ends),
    }


def _place(target: Target, stream: str, ends: _Ends) -> int | None:
    if isinstance(target, int):
        return target
    return ends.output(stream) if target == "pipe" else _PLACES[target]


# -- processes --------------------------------------------------------------------------------------------


def _popen(
    program: Program, argv: Sequence[str], places: Mapping[str, Any], **more: Any
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - an argument list, no shell of ours
        argv,
        cwd=program.cwd,
        umask=-1 if program.umask is None else program.umask,
        start_new_session=True,
        **places,
        **more,
    )


def _as_whom(program: Program) -> dict[str, Any]:
    who = program.identity
    return {"env": program.env, "user": who.uid, "group": who.gid, "extra_groups": who.groups}


async def _by_shell(
    program: Program, ends: _Ends, places: dict[str, Any], born: Callable[[int], None]
) -> subprocess.Popen[bytes]:
    check_program(program)
    if program.stdin:
        go = ends.input_of("stdin")
    else:
        go, places["stdin"] = ends.loose(ours_reads=False)
    popen = _popen(program, gates.shell_argv(program), places, **_as_whom(program))
    born(popen.pid)
    try:
        set_limits(popen.pid, program.limits)
        os.write(go, b"\n")
    except BaseException:
        await end_at_once(popen)
        raise
    return popen


async def _by_python(
    program: Program, ends: _Ends, places: dict[str, Any], born: Callable[[int], None]
) -> subprocess.Popen[bytes]:
    streams = [ends.both_ways(stream) for stream in program.custom_streams]
    order, theirs = ends.loose(ours_reads=False)
    report, told = ends.loose(ours_reads=True)
    argv = gates.python_argv(theirs, told)
    popen = _popen(program, argv, places, pass_fds=(theirs, told, *streams))
    born(popen.pid)
    try:
        ends.close_theirs()
        async with asyncio.timeout(_GATE_WAIT):
            with suppress(BrokenPipeError):  # the report tells, or that there is none
                await StdinPipe(order).write(gates.order_for_python(program, streams))
            ends.release(order)
            gates.check_report(await _all_of(report), program)
    except TimeoutError:
        await end_at_once(popen)
        reason = f"its descriptors were not in place after {_GATE_WAIT:g} s"
        raise LaunchError(program.name, reason, temporary=True) from None
    except BaseException:
        await end_at_once(popen)
        raise
    return popen


async def _all_of(fd: int) -> bytes:
    """What is to be read up to the end."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    found = bytearray()
    loop.add_reader(fd, readable.set)
    try:
        while True:
            await readable.wait()
            readable.clear()
            with suppress(BlockingIOError):
                if not (chunk := os.read(fd, 512)):
                    return bytes(found)
                found += chunk
    finally:
        loop.remove_reader(fd)
