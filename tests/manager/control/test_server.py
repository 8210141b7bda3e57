"""The control socket: that there is one, and whom it serves."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import time
from pathlib import Path

import pytest

from asynctask.errors import ManagerError
from asynctask.manager import Manager, ProcessTemplate
from asynctask.manager.control import server as server_module
from asynctask.manager.control.server import ControlServer
from tests.manager.control.lines import connected
from tests.manager.fakes import FakeLauncher


async def refused(message: str, server: ControlServer) -> None:
    """It does not start, for this reason, and leaves nothing behind."""
    with pytest.raises(ManagerError) as caught:
        await server.start()
    assert (type(caught.value), str(caught.value)) == (ManagerError, message)


async def test_the_socket_is_there_while_the_server_is(manager: Manager, run_dir: Path) -> None:
    """For us alone, in a directory for us alone; nothing is left of it."""
    path = run_dir / "new" / "a.sock"
    server = ControlServer(manager, path)
    async with server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        async with connected(path) as talk:
            assert (await talk.ask("list"))["result"] == {"names": []}
    assert not [*path.parent.iterdir()]
    await server.aclose()


@pytest.mark.one_loop("files")
async def test_there_is_one_server(manager: Manager, run_dir: Path) -> None:
    """Another is refused, and does not harm the first; after that one it may begin."""
    path = run_dir / "a.sock"
    async with ControlServer(manager, path):
        await refused(
            f"{path}: a manager runs here already; see 'asynctask status', or choose another --socket",
            ControlServer(manager, path),
        )
        async with connected(path) as talk:
            assert "result" in await talk.ask("status")
    async with ControlServer(manager, path), connected(path):
        pass


@pytest.mark.one_loop("files")
async def test_what_a_dead_manager_left(manager: Manager, run_dir: Path) -> None:
    """Its socket and its lock are in nobody's way."""
    path = run_dir / "a.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    (run_dir / "a.sock.lock").touch()
    async with ControlServer(manager, path), connected(path) as talk:
        assert "result" in await talk.ask("status")


@pytest.mark.one_loop("files")
async def test_a_socket_of_another_program(manager: Manager, run_dir: Path) -> None:
    """It is left alone."""
    path = run_dir / "a.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        await refused(f"{path}: another program listens there", ControlServer(manager, path))
    assert [*run_dir.iterdir()] == [path]


@pytest.mark.one_loop("files")
@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("elsewhere")])
async def test_a_file_that_is_no_socket(make: object, manager: Manager, run_dir: Path) -> None:
    """It is left alone."""
    path = run_dir / "a.sock"
    assert callable(make)
    make(path)
    await refused(
        f"{path}: there is a file that is no socket: it is left alone", ControlServer(manager, path)
    )
    assert [*run_dir.iterdir()] == [path]


@pytest.mark.one_loop("files")
async def test_a_lock_that_cannot_be_made(manager: Manager, run_dir: Path) -> None:
    """A link in its place is not followed: it could lead anywhere."""
    (run_dir / "a.sock.lock").symlink_to("elsewhere")
    await refused(
        f"{run_dir}/a.sock.lock: Too many levels of symbolic links",
        ControlServer(manager, run_dir / "a.sock"),
    )


@pytest.mark.one_loop("files")
async def test_a_socket_that_was_replaced(manager: Manager, run_dir: Path) -> None:
    """What others put there is not removed."""
    path = run_dir / "a.sock"
    async with ControlServer(manager, path):
        path.unlink()
        path.write_text("mine")
    assert path.read_text() == "mine"


async def test_another_user(manager: Manager, run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are told why, and heard no further."""
    monkeypatch.setattr(server_module, "peer_uid", lambda _: 4242)
    async with ControlServer(manager, run_dir / "a.sock"):
        reader, writer = await asyncio.open_unix_connection(run_dir / "a.sock")
        writer.write(b'{"do":"stop"}\n')
        said = json.loads(await reader.readline())
        writer.close()
    text = f"this manager belongs to another user (uid {os.geteuid()}), not to you (uid 4242)"
    assert said == {"error": {"type": "ManagerError", "text": text}}


async def test_a_system_that_does_not_tell(
    manager: Manager, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nobody may come in."""

    def unknown(_: object) -> int:
        raise OSError(92, "Protocol not available")

    monkeypatch.setattr(server_module, "peer_uid", unknown)
    async with ControlServer(manager, run_dir / "a.sock"):
        reader, writer = await asyncio.open_unix_connection(run_dir / "a.sock")
        said = json.loads(await reader.read())
        writer.close()
    assert said["error"]["text"] == "the system does not tell who connects: Protocol not available"


async def test_more_clients_than_there_is_room_for(
    manager: Manager, run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are told so; when one has gone the next may come."""
    monkeypatch.setattr(server_module, "_MOST_CLIENTS", 2)
    path = run_dir / "a.sock"
    async with ControlServer(manager, path), connected(path) as first:
        async with connected(path):
            reader, writer = await asyncio.open_unix_connection(path)
            assert (
                json.loads(await reader.read())["error"]["text"]
                == "2 clients at once are enough: try again later"
            )
            writer.close()
        assert "result" in await first.ask("status")
        while True:
            reader, writer = await asyncio.open_unix_connection(path)
            hello = json.loads(await reader.readline())
            writer.close()
            if "error" not in hello:
                break


async def test_the_end_with_clients(manager: Manager, launcher: FakeLauncher, run_dir: Path) -> None:
    """What they wait for is broken off, whether they listen or not; it does not take long."""
    await manager.load(ProcessTemplate("web", "serve"))
    path = run_dir / "a.sock"
    launcher.held = asyncio.Event()
    async with ControlServer(manager, path) as server:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b'{"do":"restart"}\n{"follow":"events"}\n')
        await reader.readline()
        assert "item" in json.loads(await reader.readline())  # the restart has begun
        began = time.monotonic()
        await server.aclose()
        assert time.monotonic() - began < 2
        await reader.read()
        writer.close()
    launcher.held.set()
