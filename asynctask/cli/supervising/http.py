"""HTTP beside ``asynctask up``: where it listens, and who may come in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynctask.manager.control.operations import Reread
    from asynctask.manager.manager import Manager

__all__ = ("serve_http", "token_path")


def token_path(given: str | None, socket: Path) -> Path:
    """The file of the token: the one that was given, or one beside the control socket."""
    return Path(given) if given is not None else socket.with_suffix(".token")


@asynccontextmanager
async def serve_http(
    manager: Manager,
    address: tuple[str, int],
    token: Path,
    reread: Reread,
    hosts: Collection[str] = (),
) -> AsyncIterator[list[str]]:
    """Serve a manager, and give what is to be said of it.

    Args:
        manager: which.
        address: host and port.
        token: the file of the token; it is made if it is missing.
        reread: reads the file of the templates again.
        hosts: names by which browsers may ask for it, besides ``localhost`` and that of the address.

    Raises:
        UsageError: the extra ``web`` is not installed, or what is in the file is no token.
        ManagerError: the file cannot be read, or nothing can listen there.
    """
    from asynctask.manager.web.access import token_in_file
    from asynctask.manager.web.serving import WebServer

    secret = await asyncio.to_thread(token_in_file, token)
    server = WebServer(manager, host=address[0], port=address[1], token=secret, hosts=hosts, reread=reread)
    async with server:
        lines = [f"HTTP on {server.url}; the token is in {token}"]
        if not server.is_local:
            lines.append(
                "HTTP: the token goes over the network as it is: let somebody speak TLS in front of it"
            )
        yield lines
