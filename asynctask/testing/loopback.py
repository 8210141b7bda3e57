"""Listening sockets on the loopback network, one for each node."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Iterable

__all__ = ("bind", "bind_nodes")

# Not 127.0.0.0/24: 127.0.0.1 is crowded, and Debian gives 127.0.1.1 to the machine's own name.
_FIRST = int(ipaddress.IPv4Address("127.1.0.1"))
_LIMIT = 65_000
_ATTEMPTS = 32
# How many sockets are made before others have their turn on the loop.
_BATCH = 64


def bind(address: str, port: int) -> socket.socket:
    """Make a non-blocking TCP socket bound to ``address``; it does not listen yet.

    While it is bound and does not listen, the port is taken and connections are refused.

    Raises:
        OSError: the address is no local one, or the port is in use.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def bind_nodes(count: int) -> list[socket.socket]:
    """Bind one socket for each of ``count`` nodes.

    On Linux all of 127.0.0.0/8 is local: the nodes get consecutive addresses and one port.
    Where only 127.0.0.1 is local they share it and get a port each. Cancelling closes them again.

    Raises:
        ValueError: more than 65000 nodes.
        OSError: no port is free on all addresses, or this process has no descriptors left.
    """
    if count > _LIMIT:
        raise ValueError(f"{count} nodes, the loopback cluster has room for {_LIMIT}")
    for _ in range(_ATTEMPTS):
        try:
            return await _bind_one_port(count)
        except OSError as exc:
            if exc.errno == errno.EADDRNOTAVAIL:
                return await _bind_all([("127.0.0.1", 0)] * count)
            if exc.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no port is free on {count} loopback addresses")


async def _bind_one_port(count: int) -> list[socket.socket]:
    first = bind(_address(0), 0)
    try:
        port = first.getsockname()[1]
        return [first, *await _bind_all([(_address(index), port) for index in range(1, count)])]
    except BaseException:
        first.close()
        raise


async def _bind_all(endpoints: Iterable[tuple[str, int]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        for address, port in endpoints:
            sockets.append(bind(address, port))
            if len(sockets) % _BATCH == 0:
                await asyncio.sleep(0)
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _address(index: int) -> str:
    return str(ipaddress.IPv4Address(_FIRST + index))
