"""SFTP servers for the tests of transfers: an honest one, and what others make of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncssh

from asynctask import SSHOptions
from asynctask.transfer.remote import Remote, open_remote
from tests.ssh.servers import NODE, ScriptedServer

__all__ = ("Served", "connected", "serving")


class Served(asyncssh.SFTPServer):
    """Serves a directory as the root of all, and writes down what it is asked to do."""

    root: Path
    asked: list[str]

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        super().__init__(chan, chroot=str(self.root).encode())

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        self.asked.append("open")
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        self.asked.append("write")
        return super().write(file_obj, offset, data)

    def close(self, file_obj: object) -> Any:
        self.asked.append("close")
        return super().close(file_obj)


@asynccontextmanager
async def serving(directory: Path, kind: type[Served] = Served) -> AsyncIterator[ScriptedServer]:
    """A server whose root is ``directory / "root"``."""
    root = directory / "root"
    root.mkdir(exist_ok=True)
    factory = type("Factory", (kind,), {"root": root, "asked": []})
    async with ScriptedServer(directory, sftp_factory=factory) as server:
        server.asked = factory.asked  # type: ignore[attr-defined]
        yield server


@asynccontextmanager
async def connected(directory: Path, kind: type[Served] = Served) -> AsyncIterator[Remote]:
    """An SFTP session with such a server."""
    async with serving(directory, kind) as server:
        options: SSHOptions = server.options
        async with asyncssh.connect(
            NODE,
            server.port,
            username="tester",
            known_hosts=None,
            client_keys=[str(path) for path in options.identity_files or ()],
            agent_path=None,
            config=[],
        ) as connection:
            remote = await open_remote(connection)
            yield remote
            await remote.aclose()
