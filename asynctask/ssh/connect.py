"""From a node's name to a logged-in connection. What all nodes share is prepared once a run."""

from __future__ import annotations

import asyncio
from copy import copy
from typing import Any

import anyio
import asyncssh

from asynctask.errors import ConnectionFailedError, SSHConfigError
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.keys import KeyRing
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.routes import Route, Router
from asynctask.ssh.translate import translate
from asynctask.ssh.transport import CorkedTransport

__all__ = ("Connector", "close_connection")

#: Seconds that a connection may take to close.
CLOSE_TIMEOUT = 1.0


class Connector:
    """Makes connections for a run: one configuration, one set of keys, one agent for all nodes."""

    def __init__(self, options: SSHOptions) -> None:
        self._options = options
        self._keys = KeyRing()
        self._router: Router | None = None
        self._preparing = anyio.Lock()

    async def connect(self, node: str) -> asyncssh.SSHClientConnection:
        """Connect to a node and log in.

        Raises:
            NodeError: of the kind that says what went wrong.
            NoCapacityError: no descriptor is left for a socket.

        Has no timeout of its own. Cancelling closes what was opened.
        """
        try:
            router = self._router or await self._prepare()
            route = router.route(node)
        except SSHConfigError as exc:
            raise ConnectionFailedError(node, str(exc)) from exc
        connection = _new_connection(route)
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: connection, route.host, route.port)
            await connection.logged_in
        except BaseException as exc:
            await close_connection(connection)
            if isinstance(exc, OSError | asyncssh.Error):
                raise translate(route, exc, self._keys.locked) from exc
            raise
        return connection

    async def aclose(self) -> None:
        """Let go of the agent."""
        self._keys.close()

    async def _prepare(self) -> Router:
        """Read the configuration and ask the agent: once, for whoever comes first."""
        async with self._preparing:
            if self._router is None:
                config = SSHConfig(self._options.config_files())
                if self._options.agent:
                    await self._keys.ask_agent()
                self._router = Router(self._options, config, self._keys)
            return self._router


async def close_connection(connection: asyncssh.SSHClientConnection) -> None:
    """Close a connection and wait, at most ``CLOSE_TIMEOUT`` and also when cancelled, until it is."""
    if isinstance(connection, _Connection) and not connection.was_made:
        return
    connection.close()
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True) as scope:
        await connection.wait_closed()
    if scope.cancelled_caught:
        connection.abort()


def _new_connection(route: Route) -> _Connection:
    options = copy(route.options)  # asyncssh keeps the state of one connection in it
    options.host = options.orig_host = route.node
    options.port = route.port
    options.host_key_alias = route.alias
    trusted = route.trusted
    options.known_hosts = None if trusted is None else (lambda host, addr, port: trusted)
    # A key pair notes the signature algorithm that its server takes, and servers differ.
    options.client_keys = [copy(pair) for pair in route.keys]
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    return _Connection(loop, options)


class _Connection(asyncssh.SSHClientConnection):
    """A connection that is made without ``asyncssh.connect``.

    That would build all options again for each node, in a thread; here they are built once for all nodes
    alike. Beside its constructor this relies on ``options.waiter``, which asyncssh resolves when the
    login is done or has failed (the same since asyncssh 2.14; ``tests/ssh/test_connect.py``
    runs against the lowest and the newest version).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, options: asyncssh.SSHClientConnectionOptions) -> None:
        super().__init__(loop, options, wait="auth")
        assert options.waiter is not None
        self.logged_in: asyncio.Future[Any] = options.waiter
        self.was_made = False
        self._corked_loop = loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.was_made = True
        super().connection_made(CorkedTransport(transport, self._corked_loop))  # type: ignore[arg-type]
