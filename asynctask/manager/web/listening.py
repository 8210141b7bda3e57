"""Sockets that listen, one for each address."""

from __future__ import annotations

import asyncio
import errno
import socket

from asynctask.errors import ManagerError

__all__ = ("tcp_listeners",)

_MOST_PORT = 65535
#: Bytes that the system keeps for a client that does not read; by itself it keeps megabytes.
_SEND_BUFFER = 256 << 10


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
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
