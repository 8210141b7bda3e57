"""What the nodes of a test cluster did so far and are doing now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ("Census", "ClusterStatistics")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterStatistics:
    """Counts of a cluster at one moment.

    Attributes:
        connections: TCP connections accepted since the cluster was opened.
        open_connections: those of them that are open now.
        dropped: those of them that a fault cut or closed before the login.
        logins: those of them on which a client logged in.
        commands: commands started since then, a node.
        running: commands whose process is alive, or whose channel is open, now.
        sftp: SFTP sessions started since then.
        refused_sessions: channels that were not opened: more than ``max_sessions``, or a fault.
    """

    connections: int
    open_connections: int
    dropped: int = 0
    logins: int = 0
    commands: Mapping[str, int]
    running: int
    sftp: int = 0
    refused_sessions: int = 0


class Census:
    """Counts as things happen.

    Attributes:
        idle: set while nothing is open and nothing runs.
        quiet: set while nothing runs.
    """

    def __init__(self, nodes: Iterable[str]) -> None:
        self._connections = 0
        self._open_connections = 0
        self._dropped = 0
        self._logins = 0
        self._commands = dict.fromkeys(nodes, 0)
        self._running = 0
        self._sftp = 0
        self._refused_sessions = 0
        self.idle = asyncio.Event()
        self.idle.set()
        self.quiet = asyncio.Event()
        self.quiet.set()

    def connection_opened(self) -> None:
        """A TCP connection was accepted."""
        self._connections += 1
        self._open_connections += 1
        self._settle()

    def connection_closed(self) -> None:
        """It is gone, with the task that served it."""
        self._open_connections -= 1
        self._settle()

    def connection_dropped(self) -> None:
        """A fault cuts or closes it before the login."""
        self._dropped += 1

    def logged_in(self) -> None:
        """A client logged in."""
        self._logins += 1

    def command_started(self, node: str) -> None:
        """A command was accepted by a node."""
        self._commands[node] += 1
        self._running += 1
        self._settle()

    def command_ended(self) -> None:
        """Its process is reaped and its channel closed."""
        self._running -= 1
        self._settle()

    def sftp_started(self) -> None:
        """An SFTP session was accepted."""
        self._sftp += 1

    def session_refused(self) -> None:
        """A channel was not opened."""
        self._refused_sessions += 1

    def snapshot(self) -> ClusterStatistics:
        """The counts now."""
        return ClusterStatistics(
            connections=self._connections,
            open_connections=self._open_connections,
            dropped=self._dropped,
            logins=self._logins,
            commands=MappingProxyType(dict(self._commands)),
            running=self._running,
            sftp=self._sftp,
            refused_sessions=self._refused_sessions,
        )

    def _settle(self) -> None:
        if self._open_connections or self._running:
            self.idle.clear()
        else:
            self.idle.set()
        if self._running:
            self.quiet.clear()
        else:
            self.quiet.set()
