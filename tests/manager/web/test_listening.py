"""Sockets that listen."""

from __future__ import annotations

import socket
import stat
from contextlib import closing
from pathlib import Path

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.web.listening import tcp_listeners, unix_listener


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


@pytest.mark.one_loop("nothing here runs in a loop")
def test_a_unix_socket_is_for_us_alone(tmp_path: Path) -> None:
    """From its first moment."""
    path = tmp_path / "web.sock"
    with closing(unix_listener(path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.one_loop("nothing here runs in a loop")
def test_a_socket_that_nobody_serves_is_replaced(tmp_path: Path) -> None:
    """One that is served, or a file, is left alone."""
    path = tmp_path / "web.sock"
    unix_listener(path).close()

    with closing(unix_listener(path)) as listener:
        listener.listen()
        with pytest.raises(ManagerError, match="another program listens there"):
            unix_listener(path)
    path.unlink()
    path.touch()
    with pytest.raises(ManagerError, match="no socket"):
        unix_listener(path)
    with pytest.raises(ManagerError, match="No such file"):
        unix_listener(tmp_path / "none" / "web.sock")
