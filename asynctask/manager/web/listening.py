"""Sockets that listen, for TCP and for Unix."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from contextlib import suppress
from pathlib import Path

from asynctask.errors import ManagerError

__all__ = ("tcp_listeners", "unix_listener")

_MOST_PORT = 65535


async def tcp_listeners(host: str, port: int) -> list[socket.socket]:
    """One for each address that a name has, all on one port.

    Args:
        host: a name or an address.
        port: 0: one that is free.

    Raises:
        ManagerError: nothing can listen there, and why.
    """
    if not 0 <= port <= _MOST_PORT:
        raise ManagerError(f"HTTP on {host}: {port} is no port")
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as exc:
        raise ManagerError(f"HTTP on {host}:{port}: {getattr(exc, 'strerror', None) or exc}") from exc
    listeners: list[socket.socket] = []
    problem: OSError | None = None
    for family, *_, address in dict.fromkeys(found):
        at = (address[0], port, *address[2:])
        try:
            listeners.append(_bound(family, at))
        except OSError as exc:
            problem = problem or exc
            if exc.errno == errno.EADDRINUSE:
                break
        else:
            port = listeners[0].getsockname()[1]
    if not listeners or (problem is not None and problem.errno == errno.EADDRINUSE):
        for listener in listeners:
            listener.close()
        assert problem is not None
        raise ManagerError(f"HTTP on {host}:{port}: {problem.strerror}") from problem
    return listeners


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    # Only when a socket knows its protocol, asyncio has it send at once (TCP_NODELAY).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def unix_listener(path: Path) -> socket.socket:
    """A socket for us alone, in place of one that nobody serves any more.

    Raises:
        ManagerError: somebody serves it, it is something else, or it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        os.fchmod(listener.fileno(), 0o600)  # on Linux bind() makes the file with this mode
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        listener.setblocking(False)
    except OSError as exc:
        listener.close()
        raise ManagerError(f"{path}: {exc.strerror or exc}") from exc
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ManagerError(f"{path}: there is a file that is no socket: it is left alone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        tried = probe.connect_ex(os.fspath(path))
    if tried not in {errno.ECONNREFUSED, errno.ENOENT}:
        raise ManagerError(f"{path}: another program listens there")
    with suppress(FileNotFoundError):
        path.unlink()
