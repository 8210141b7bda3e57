"""Something slow, for so long and no longer: a group source may ask a server that does not answer."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

__all__ = ("within",)

_CHUNK = 1 << 16
_SEPARATOR = b"\0"


def within(seconds: float, function: Callable[[], Iterable[str]]) -> list[str]:
    """What ``function`` returns; nothing if it raises, or takes longer.

    It is called in a process of its own, which is killed after that time, with those that it started: a
    look-up that runs a shell command cannot be ended otherwise.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(function, writer)
    os.close(writer)
    try:
        answer = _read(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        for kill in (os.killpg, os.kill):  # it may not have its own group yet
            with suppress(OSError):
                kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    *names, end = answer.split(_SEPARATOR)
    return [] if end else [os.fsdecode(name) for name in names]


def _answer(function: Callable[[], Iterable[str]], writer: int) -> None:
    """In the new process: nothing but the answer leaves it."""
    try:
        os.setpgid(0, 0)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(nowhere, fd)
        data = b"".join(os.fsencode(name) + _SEPARATOR for name in function())
        with open(writer, "wb") as pipe:
            pipe.write(data)
    finally:
        os._exit(0)


def _read(fd: int, until: float) -> bytes:
    """All that comes up to its end; nothing if that does not come in time."""
    data = b""
    while (left := until - time.monotonic()) > 0 and select.select([fd], [], [], left)[0]:
        chunk = os.read(fd, _CHUNK)
        if not chunk:
            return data
        data += chunk
    return b""
