"""A client of a control socket that says what it likes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

__all__ = ("Talk", "connected")


class Talk:
    """Lines to a manager and from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def raw(self, data: bytes) -> None:
        """Say bytes."""
        self.writer.write(data)

    def say(self, **message: Any) -> None:
        """Say an object."""
        self.raw(json.dumps(message).encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        """The next line; none comes after the end."""
        try:
            line = await self.reader.readline()
        except ConnectionResetError:  # the end, when not all was read that we had said
            line = b""
        said = json.loads(line) if line else {}
        assert isinstance(said, dict)
        return said

    async def ask(self, name: str, **params: Any) -> dict[str, Any]:
        """Say what is to be done, and hear what comes of it."""
        self.say(do=name, params=params)
        return await self.hear()

    async def close(self) -> None:
        """Go."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connected(path: Path) -> AsyncIterator[Talk]:
    """A connection, whose first line was heard."""
    talk = Talk(*await asyncio.open_unix_connection(path, limit=1 << 26))
    try:
        assert (await talk.hear())["asynctask"] == 1
        yield talk
    finally:
        await talk.close()
