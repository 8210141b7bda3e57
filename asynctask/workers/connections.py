"""The connections that the workers of a run share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import asyncssh

from asynctask.ssh.answers import Answers
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.pool import ConnectionPool
from asynctask.workers.resources import Resources

__all__ = ("Connections", "Leased", "pool_of")

T = TypeVar("T")


class Leased(Protocol):
    """A place on a connection to a node, for one command or copy; see :class:`~asynctask.ssh.lease.Lease`."""

    mark: str | None

    @property
    def node(self) -> str:
        """The node that it leads to."""

    @property
    def connection(self) -> asyncssh.SSHClientConnection:
        """The connection, logged in."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What the configuration wants to have sent."""

    @property
    def answers(self) -> Answers | None:
        """Who is asked for passwords, if anybody can be."""

    async def open(self, start: Callable[[asyncssh.SSHClientConnection], Awaitable[T]]) -> T:
        """Start something on the connection."""

    def paused(self) -> AbstractContextManager[None]:
        """Time within :meth:`open` that does not count as connecting."""

    def discard(self) -> None:
        """Have nothing more started on the connection."""

    async def release(self) -> None:
        """Give the place back."""


class Connections(Protocol):
    """Where workers get their connections."""

    async def lease(self, node: str, ssh: SSHOptions, timeout: float | None) -> Leased:
        """A place on a connection to a node."""


def pool_of(resources: Resources) -> ConnectionPool:
    """The pool of the task that a worker runs in. What nobody will use again is not kept."""
    return resources.get(
        ConnectionPool, lambda: ConnectionPool(max_idle=0) if resources.once else ConnectionPool()
    )
