"""Sockets that listen."""

from __future__ import annotations

import socket

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.web.listening import tcp_listeners


async def test_a_free_port_is_chosen() -> None:
    """One for all addresses of the name."""
    listeners = await tcp_listeners("localhost", 0)

    ports = {listener.getsockname()[1] for listener in listeners}
    addresses = {listener.getsockname()[0] for listener in listeners}
    for listener in listeners:
        listener.close()
    assert len(ports) == 1
    assert 0 not in ports
    assert addresses <= {"127.0.0.1", "::1"}


async def test_a_port_that_is_taken() -> None:
    """The system's reason is told, and nothing is left open."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ManagerError, match=f"HTTP on 127.0.0.1:{port}: Address already in use"):
            await tcp_listeners("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("127.0.0.1", 65536, "65536 is no port"),
        ("127.0.0.1", -1, "-1 is no port"),
        ("192.0.2.1", 0, "Cannot assign requested address"),
        ("x" * 70, 0, "HTTP on x"),
    ],
)
async def test_where_nothing_can_listen(host: str, port: int, reason: str) -> None:
    """Not there, or no such thing."""
    with pytest.raises(ManagerError, match=reason):
        await tcp_listeners(host, port)
