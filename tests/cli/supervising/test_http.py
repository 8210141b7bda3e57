"""HTTP beside ``asynctask up``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.supervising.http import serve_http, token_path
from asynctask.errors import ManagerError
from asynctask.manager.manager import Manager
from tests.manager.fakes import FakeLauncher


async def _reread() -> Mapping[str, Any]:
    return {}


def test_the_token_is_beside_the_socket(tmp_path: Path) -> None:
    """Unless a file is named."""
    assert token_path(None, tmp_path / "a.b.sock") == tmp_path / "a.b.token"
    assert token_path("t", tmp_path / "s") == Path("t")


async def test_it_listens_and_tells_where(tmp_path: Path) -> None:
    """The token is in a file of our own, and nowhere else."""
    token = tmp_path / "token"
    async with (
        Manager(launcher=FakeLauncher()) as manager,
        serve_http(manager, ("127.0.0.1", 0), token, _reread, ["Box.example"]) as lines,
    ):
        (line,) = lines
        url = line.removeprefix("HTTP on ").partition(";")[0]
        port = int(url.rstrip("/").rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /nothing HTTP/1.1\r\nHost: box.example\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 404")
    assert line == f"HTTP on {url}; the token is in {token}"
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in line


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """It is told which."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with Manager(launcher=FakeLauncher()) as manager:
        with pytest.raises(ManagerError, match=f"HTTP on 127.0.0.1:{port}: Address already in use"):
            async with serve_http(manager, ("127.0.0.1", port), tmp_path / "t", _reread):
                pass
    server.close()
    await server.wait_closed()
