"""What a test node says to the SSH requests of one connection: logins, sessions, forwarding."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import asyncssh
from asyncssh.forward import SSHForwarder

from asynctask.testing.command import Host
from asynctask.testing.faults import Fault
from asynctask.testing.session import Session
from asynctask.testing.wire import Registry

__all__ = ("Access", "Server", "ServingNode", "server_options")


@dataclass(frozen=True, slots=True)
class Access:
    """What all nodes of a cluster share: who may log in, and what sessions may do and find there."""

    user: str
    client_key: asyncssh.SSHKey | None
    password: str | None
    wrong_host_key: asyncssh.SSHKey
    environment: Mapping[str, str]
    accept_env: tuple[str, ...]
    max_sessions: int
    options: asyncssh.SSHServerConnectionOptions


class ServingNode(Host, Registry, Protocol):
    """What a server needs to know of its node."""

    @property
    def access(self) -> Access:
        """Who may do what."""


def server_options(
    host_key: asyncssh.SSHKey, *, pty: bool, password: bool
) -> asyncssh.SSHServerConnectionOptions:
    """Build the options that every connection starts from; each node puts in its own host key."""
    return asyncssh.SSHServerConnectionOptions(
        server_host_keys=[host_key],
        encoding=None,
        line_editor=False,
        allow_pty=pty,
        agent_forwarding=False,
        password_auth=password,
        kbdint_auth=password,
        host_based_auth=False,
        gss_host=None,
        compression_algs=None,
    )


class Server(asyncssh.SSHServer):
    """One connection."""

    def __init__(self, node: ServingNode) -> None:
        self._node = node
        self._access = node.access
        self._sessions: set[Session] = set()
        self._hanging = 0
        self._over = asyncio.Event()
        self.connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn
        self._node.joined(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self.connection is not None
        self._over.set()
        self._node.left(self.connection)

    # -- the login ----------------------------------------------------------------------------

    def begin_auth(self, username: str) -> bool:
        return True

    def auth_completed(self) -> None:
        self._node.census.logged_in()

    def public_key_auth_supported(self) -> bool:
        return self._access.client_key is not None

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = self._access.client_key
        return known is not None and key.public_data == known.public_data and self._admits(username)

    def password_auth_supported(self) -> bool:
        return self._access.password is not None  # and so, with asyncssh, is keyboard-interactive

    def validate_password(self, username: str, password: str) -> bool:
        known = self._access.password
        right = known is not None and hmac.compare_digest(password.encode(), known.encode())
        return right and self._admits(username)

    def _admits(self, user: str) -> bool:
        return user == self._access.user and self._node.fault is not Fault.AUTH

    # -- channels -----------------------------------------------------------------------------

    def session_requested(self) -> Any:
        fault = self._node.fault
        if fault is Fault.NO_CHANNEL or self._open_sessions() >= self._access.max_sessions:
            self._node.census.session_refused()
            raise _refused()
        if fault is Fault.CHANNEL_HANGS:
            self._hanging += 1
            return self._never()
        session = Session(self._node, self._sessions.discard)
        self._sessions.add(session)
        return session

    def _open_sessions(self) -> int:
        # asyncssh tells of the end of one late: the client's next request may have been read by then.
        return self._hanging + sum(session.is_open for session in self._sessions)

    async def _never(self) -> Session:
        await self._over.wait()
        raise _refused()

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        # A jump to another node of the cluster, never to the world outside.
        try:
            return ipaddress.ip_address(dest_host).is_loopback and self._forward(dest_host, dest_port)
        except ValueError:
            return False

    async def _forward(self, host: str, port: int) -> SSHForwarder:
        """Connect to the next host. asyncssh forgets it, open, where this connection is lost meanwhile."""
        assert self.connection is not None
        forwarder = await self.connection.forward_connection(host, port)
        if self._over.is_set():
            forwarder.close()
            raise _refused()
        return forwarder


def _refused() -> asyncssh.ChannelOpenError:
    """As OpenSSH refuses more than MaxSessions."""
    return asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, "open failed")
