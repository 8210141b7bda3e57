"""Tests of asynctask.testing.loopback."""

from __future__ import annotations

import errno
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from asynctask.testing import loopback


@asynccontextmanager
async def _bound(count: int) -> AsyncIterator[list[tuple[str, int]]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(sock) for sock in await loopback.bind_nodes(count)]
        yield [sock.getsockname() for sock in sockets]


def _only_127_0_0_1(monkeypatch: pytest.MonkeyPatch) -> None:
    real = loopback.bind

    def bind(address: str, port: int) -> socket.socket:
        if address != "127.0.0.1":
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")
        return real(address, port)

    monkeypatch.setattr(loopback, "bind", bind)


async def test_nodes_have_consecutive_addresses_and_one_port() -> None:
    """On Linux a node is an address."""
    async with _bound(3) as names:
        port = names[0][1]
        assert names == [("127.1.0.1", port), ("127.1.0.2", port), ("127.1.0.3", port)]


async def test_addresses_go_on_after_255() -> None:
    """More nodes than the last byte can tell apart."""
    async with _bound(300) as names:
        assert len(set(names)) == 300
        assert names[-1][0] == "127.1.1.44"


async def test_two_clusters_never_meet() -> None:
    """A second set of nodes has the same addresses and another port."""
    async with _bound(2) as first, _bound(2) as second:
        assert [address for address, _ in first] == [address for address, _ in second]
        assert first[0][1] != second[0][1]


async def test_ports_where_there_is_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only 127.0.0.1 is local, a node is a port."""
    _only_127_0_0_1(monkeypatch)
    async with _bound(3) as names:
        assert [address for address, _ in names] == ["127.0.0.1"] * 3
        assert len({port for _, port in names}) == 3


async def test_another_port_when_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port in use on one of the addresses is given up for all of them."""
    real = loopback.bind
    asked: list[str] = []

    def bind(address: str, port: int) -> socket.socket:
        asked.append(address)
        if len(asked) == 2:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return real(address, port)

    monkeypatch.setattr(loopback, "bind", bind)
    async with _bound(2) as names:
        assert len(names) == 2
    assert asked == ["127.1.0.1", "127.1.0.2", "127.1.0.1", "127.1.0.2"]


async def test_gives_up_when_no_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of attempts is bounded."""

    def bind(address: str, port: int) -> socket.socket:
        raise OSError(errno.EADDRINUSE, "Address already in use")

    monkeypatch.setattr(loopback, "bind", bind)
    with pytest.raises(OSError, match="no port is free on 2 loopback addresses"):
        await loopback.bind_nodes(2)


async def test_other_errors_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of descriptors is not taken for a port in use."""

    def bind(address: str, port: int) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(loopback, "bind", bind)
    with pytest.raises(OSError, match="Too many open files"):
        await loopback.bind_nodes(2)


async def test_too_many_nodes() -> None:
    """There is an end to the addresses."""
    with pytest.raises(ValueError, match="65001 nodes"):
        await loopback.bind_nodes(65_001)


def test_a_bound_socket_refuses_connections() -> None:
    """Bound is not listening."""
    with loopback.bind("127.0.0.1", 0) as sock, pytest.raises(ConnectionRefusedError):
        socket.create_connection(sock.getsockname(), timeout=5)
