"""From a node's name to a logged-in connection. What all nodes share is prepared once a run."""

from __future__ import annotations

import asyncio
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.public_key import get_default_certificate_algs, get_default_public_key_algs

from asynctask.errors import ConnectionFailedError, NodeError, SSHConfigError
from asynctask.processes import Spawner
from asynctask.ssh.answers import Answers
from asynctask.ssh.client import Client, Login
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.connection import Connection, close_connection
from asynctask.ssh.hostkeys import KnownHosts, TrustedKeys
from asynctask.ssh.keys import KeyRing, pairs_for
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.proxy import ProxyTransport
from asynctask.ssh.recording import Recorder
from asynctask.ssh.resolve import Resolver
from asynctask.ssh.routes import Route, Router
from asynctask.ssh.translate import is_no_room, no_room, translate
from asynctask.ssh.turns import Turns
from asynctask.waiting import Patience

__all__ = ("Connector",)

#: The algorithms by which a kind of key signs, where its name is not the only one.
_SIGNED_BY = {b"ssh-rsa": (b"rsa-sha2-512", b"rsa-sha2-256", b"ssh-rsa")}
#: Seconds after which a channel is closed that opened too late. Not at once: asyncssh's server then loses
#: its connection to the next host.
_LATE = 0.5


class Connector:
    """Makes connections: one configuration, one set of keys, one agent for all nodes."""

    def __init__(self, options: SSHOptions) -> None:
        self.answers = Answers(options)
        self._options = options
        self._keys = KeyRing(self.answers)
        self._recorders: dict[tuple[Path | None, bool], Recorder] = {}
        self._resolver = Resolver()
        self._router: Router | None = None
        self._spawner = Spawner()
        self._proxies: set[ProxyTransport] = set()
        self._turns = Turns()

    async def route(self, node: str) -> Route:
        """How to get to a node.

        Raises:
            NodeError: the configuration cannot be followed for it.
            NoCapacityError: no descriptor is left to read it.
        """
        try:
            return await self._router_for_all().route(node)
        except SSHConfigError as exc:
            if isinstance(exc.__cause__, OSError) and is_no_room(exc.__cause__):
                raise no_room(node) from exc
            raise ConnectionFailedError(node, str(exc)) from exc

    async def connect(
        self, route: Route, via: Connection | None = None, patience: Patience | None = None
    ) -> Connection:
        """Connect and log in.

        Args:
            route: where to.
            via: the connection to the last host on the way, where the route has one.
            patience: stands still while a person is asked for a password.

        Raises:
            NodeError: of the kind that says what went wrong.
            NoCapacityError: no descriptor is left for a socket.

        Has no timeout of its own. Cancelling closes what was opened.
        """
        client = self._client(route, patience)
        connection = _new_connection(route, client, patience, self._turns)
        proxy: ProxyTransport | None = None
        try:
            if route.proxy is not None:
                proxy = self._run_proxy(route.proxy, connection)
            elif via is not None:
                await _open_through(via, connection, route)
            else:
                await self._open_socket(connection, route)
            await connection.ready
            if client.new_key is not None:
                recorder = self._recorder(route)
                await recorder.record(route.node, route.host, route.port, route.alias, client.new_key)
        except BaseException as exc:
            connection.forget_login()
            await close_connection(connection)
            if not isinstance(exc, Exception) or isinstance(exc, NodeError):
                raise
            found = await _found_among_hashed(route, exc)
            if found is not None:
                return await self.connect(replace(route, trusted=found), via, patience)
            # What a peer sends may break asyncssh in any way.
            said = connection.said or (proxy.said if proxy is not None else "")
            raise translate(route, exc, client=client, said=said, locked=self._keys.locked) from exc
        return connection

    def _client(self, route: Route, patience: Patience | None) -> Client:
        recorder = self._recorder(route) if route.policy == "accept-new" else None
        about = (route.node, route.user, route.host, route.port, route.alias)
        return Client(Login(*about, self.answers, route.known_hosts, recorder), patience)

    def _recorder(self, route: Route) -> Recorder:
        place = (route.record_in, route.hashed)
        if place not in self._recorders:
            self._recorders[place] = Recorder(route.record_in, hashed=route.hashed)
        return self._recorders[place]

    async def _open_socket(self, connection: Connection, route: Route) -> None:
        """Connect to the first address of the host that answers."""
        loop = asyncio.get_running_loop()
        addresses = await self._resolver.addresses(route.host, route.port, route.family)
        for number, address in enumerate(addresses, 1):
            try:
                await loop.create_connection(lambda: connection, address, route.port, local_addr=route.bind)
            except OSError:
                if number == len(addresses):
                    raise
            else:
                return

    def _run_proxy(self, command: str, connection: Connection) -> ProxyTransport:
        proxy = ProxyTransport(command, connection, self._spawner)
        self._proxies = {each for each in self._proxies if not each.is_over}
        self._proxies.add(proxy)
        connection.connection_made(proxy)
        return proxy

    async def aclose(self) -> None:
        """Let go of the agent, of prompts, and of the commands that connections went through."""
        for proxy in self._proxies:
            proxy.close()
        for proxy in self._proxies:
            await proxy.wait_closed()
        self._proxies.clear()
        await self._spawner.aclose()
        for recorder in self._recorders.values():
            await recorder.aclose()
        await self.answers.aclose()
        await self._keys.aclose()

    def _router_for_all(self) -> Router:
        """Read the configuration: once, for whoever comes first."""
        if self._router is None:
            config = SSHConfig(self._options.config_files(), self._options.settings)
            self._router = Router(self._options, config, self._keys)
        return self._router


def _new_connection(route: Route, client: Client, patience: Patience | None, turns: Turns) -> Connection:
    options = copy(route.options)  # asyncssh keeps the state of one connection in it
    options.host = options.orig_host = route.host  # a host certificate is for this name, or for the alias
    options.port = route.port
    options.host_key_alias = route.alias
    trusted = route.trusted
    options.known_hosts = None if trusted is None else (lambda host, addr, port: trusted)
    if trusted is not None and not options.server_host_key_algs:
        options.server_host_key_algs = _host_key_algorithms(trusted, route.known_hosts)
    options.protocol_factory = lambda: client
    options.agent_forward_path = route.agent
    options.client_keys = pairs_for(route.keys, route.node, route.user, patience)
    loop = asyncio.get_running_loop()
    options.waiter = loop.create_future()
    return Connection(loop, options, turns)


async def _open_through(via: Connection, connection: Connection, route: Route) -> None:
    """Open a channel to the next host. One that opens when nobody wants it any more is closed then."""
    factory: Any = lambda: connection  # noqa: E731 - a connection is a session of the other, too
    opening = asyncio.ensure_future(via.create_connection(factory, route.host, route.port))
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        loop = asyncio.get_running_loop()
        opening.add_done_callback(lambda _: loop.call_later(_LATE, connection.abort))
        raise


async def _found_among_hashed(route: Route, exc: Exception) -> TrustedKeys | None:
    """The keys of a host, where it was not looked for among many hashed names and showed an unknown key.

    It may have shown one of another kind than is on record.
    """
    known = route.known_hosts
    if not isinstance(exc, asyncssh.HostKeyNotVerifiable) or route.trusted is None or not known.is_long:
        return None
    found = await asyncio.to_thread(known.trusted, route.host, route.port, route.alias)
    return found if any(found[:2]) and found != route.trusted else None


def _host_key_algorithms(trusted: TrustedKeys, known_hosts: KnownHosts) -> list[str]:
    """Those of the known keys first, as asyncssh does, but then all others.

    So a server whose key is of another kind now shows it; else it finds nothing in common and hangs up.
    """
    keys, authorities = trusted[:2]
    known = [algorithm for key in keys for algorithm in key.sig_algorithms]
    if not known and known_hosts.is_long:  # its key may be among those under hashed names
        known = [
            algorithm for kind in known_hosts.hashed_kinds for algorithm in _SIGNED_BY.get(kind, (kind,))
        ]
    plain, certified = get_default_public_key_algs(), get_default_certificate_algs()
    ordered = [*certified, *known, *plain] if authorities else [*known, *plain, *certified]
    return [algorithm.decode() for algorithm in dict.fromkeys(ordered)]
