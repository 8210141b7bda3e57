"""From a node's name to a logged-in connection. What all nodes share is prepared once a run."""

from __future__ import annotations

import asyncio
import logging
from copy import copy
from typing import Any

import anyio
import asyncssh
from asyncssh.logging import SSHLogger
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from asynctask.errors import ConnectionFailedError, SSHConfigError
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.hostkeys import TrustedKeys
from asynctask.ssh.keys import KeyRing
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.resolve import Resolver
from asynctask.ssh.routes import Route, Router
from asynctask.ssh.translate import is_no_room, no_room, translate
from asynctask.ssh.transport import CorkedTransport

__all__ = ("Connector", "close_connection")

_asyncssh_log = logging.getLogger("asyncssh")

_MSG_IGNORE = 2  # RFC 4253, section 12

#: Seconds that a connection may take to close.
CLOSE_TIMEOUT = 1.0


class Connector:
    """Makes connections for a run: one configuration, one set of keys, one agent for all nodes."""

    def __init__(self, options: SSHOptions) -> None:
        self._options = options
        self._keys = KeyRing()
        self._resolver = Resolver()
        self._router: Router | None = None

    async def connect(self, node: str) -> asyncssh.SSHClientConnection:
        """Connect to a node and log in.

        Raises:
            NodeError: of the kind that says what went wrong.
            NoCapacityError: no descriptor is left for a socket.

        Has no timeout of its own. Cancelling closes what was opened.
        """
        try:
            route = await self._router_for_all().route(node)
        except SSHConfigError as exc:
            if isinstance(exc.__cause__, OSError) and is_no_room(exc.__cause__):
                raise no_room(node) from exc
            raise ConnectionFailedError(node, str(exc)) from exc
        connection = _new_connection(route)
        try:
            await self._open(connection, route)
            await connection.ready
        except BaseException as exc:
            connection.forget_login()
            await close_connection(connection)
            if isinstance(exc, Exception):  # what a peer sends may break asyncssh in any way
                raise translate(route, exc, self._keys.locked) from exc
            raise
        return connection

    async def _open(self, connection: _Connection, route: Route) -> None:
        """Connect to the first address of the host that answers."""
        loop = asyncio.get_running_loop()
        addresses = await self._resolver.addresses(route.host, route.port)
        for number, address in enumerate(addresses, 1):
            try:
                await loop.create_connection(lambda: connection, address, route.port)
            except OSError:
                if number == len(addresses):
                    raise
            else:
                return

    async def aclose(self) -> None:
        """Let go of the agent."""
        await self._keys.aclose()

    def _router_for_all(self) -> Router:
        """Read the configuration: once, for whoever comes first."""
        if self._router is None:
            self._router = Router(self._options, SSHConfig(self._options.config_files()), self._keys)
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
    options.host = options.orig_host = route.host  # a host certificate is for this name, or for the alias
    options.port = route.port
    options.host_key_alias = route.alias
    trusted = route.trusted
    options.known_hosts = None if trusted is None else (lambda host, addr, port: trusted)
    if trusted is not None and not options.server_host_key_algs:
        options.server_host_key_algs = _host_key_algorithms(trusted)
    # A key pair notes the signature algorithm that its server takes, and servers differ.
    options.client_keys = [copy(pair) for pair in route.keys]
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    return _Connection(loop, options)


def _host_key_algorithms(trusted: TrustedKeys) -> list[str]:
    """Those of the known keys first, as asyncssh does, but then all others.

    So a server whose key is of another kind now shows it; else it finds nothing in common and hangs up.
    """
    keys, authorities = trusted[:2]
    known = [algorithm for key in keys for algorithm in key.sig_algorithms]
    plain, certified = get_default_public_key_algs(), get_default_certificate_algs()
    ordered = [*certified, *known, *plain] if authorities else [*known, *plain, *certified]
    return [algorithm.decode() for algorithm in dict.fromkeys(ordered)]


class _Silence(SSHLogger):
    """Takes asyncssh's records and drops them.

    It makes about forty a connection, the command among them, and formats each before it asks whether
    anybody wants it. Whoever does sets the logger ``asyncssh`` to ``DEBUG``.
    """

    def log(self, level: int, msg: object, *args: Any, **kwargs: Any) -> None:
        return

    def get_child(self, child: str = "", context: str = "") -> SSHLogger:
        return self


_SILENCE = _Silence()


class _Connection(asyncssh.SSHClientConnection):
    """A connection that is made without ``asyncssh.connect``.

    That would build all options again for each node, in a thread; here they are built once for all nodes
    alike. Beside its constructor this relies on ``options.waiter``, which asyncssh resolves when the
    login is done or has failed (the same since asyncssh 2.14; ``tests/ssh/test_connect.py``
    runs against the lowest and the newest version).
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, options: asyncssh.SSHClientConnectionOptions) -> None:
        self._talks = _asyncssh_log.isEnabledFor(logging.DEBUG)
        super().__init__(loop, options, wait="auth")
        assert options.waiter is not None
        self.ready: asyncio.Future[Any] = options.waiter
        self.was_made = False
        self._corked_loop = loop

    @property
    def logger(self) -> SSHLogger:
        return super().logger if self._talks else _SILENCE

    def log_sent_packet(self, *args: Any, **kwargs: Any) -> None:
        if self._talks:
            super().log_sent_packet(*args, **kwargs)

    def log_received_packet(self, *args: Any, **kwargs: Any) -> None:
        if self._talks:
            super().log_received_packet(*args, **kwargs)

    def forget_login(self) -> None:
        """Nobody will ask how the login ended."""
        if not self.ready.cancel() and not self.ready.cancelled():
            self.ready.exception()

    def send_packet(self, pkttype: int, *args: bytes, handler: Any = None) -> None:
        # asyncssh puts an empty packet before each, which matters for CBC ciphers alone and costs as much
        # as the packets themselves.
        if pkttype == _MSG_IGNORE and "cbc" not in self.get_extra_info("send_cipher", ""):
            return
        super().send_packet(pkttype, *args, handler=handler)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.was_made = True
        super().connection_made(CorkedTransport(transport, self._corked_loop))  # type: ignore[arg-type]
