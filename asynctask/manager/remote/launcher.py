"""Starts processes on nodes, and finds them again: over SSH, with nothing there but a POSIX shell."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import anyio

from asynctask.errors import LaunchError
from asynctask.manager.remote.session import Pace

if TYPE_CHECKING:
    from asynctask.manager.launching import Ears, Order
    from asynctask.manager.remote.node import RemoteNode
    from asynctask.manager.remote.running import RemoteRunning
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("RemoteLauncher",)


class RemoteLauncher:
    """The launcher for nodes. See :class:`~asynctask.manager.launching.Launcher`.

    A node needs Linux and a POSIX shell with the usual tools. What it has of a manager is in
    ``${XDG_STATE_HOME:-~/.local/state}/asynctask/<manager>/<node>``. Of managers of one name, one at a
    time is connected.

    Args:
        name: the manager's; the next manager of this name finds its processes.
        ssh: how to connect; ``None``: as the user's configuration says.
        pool: whose connections to use; ``None``: own ones. A node takes one session of one connection.
        pace: how fast, for tests.
    """

    def __init__(
        self,
        *,
        name: str,
        ssh: SSHOptions | None = None,
        pool: ConnectionPool | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._name = name
        self._ssh = ssh
        self._pool = pool
        self._own_pool: ConnectionPool | None = None
        self._pace = pace or Pace()
        self._owner = secrets.token_hex(8)
        self._nodes: dict[str, RemoteNode] = {}
        self._closed = False

    async def launch(self, order: Order, ears: Ears) -> RemoteRunning:
        """Start a process, or find it.

        Raises:
            LaunchError: it could not be started; ``temporary`` if its node could not be reached.

        Cancelling ends what was started.
        """
        if self._closed:
            raise LaunchError(order.template.name, "the manager is closed")
        assert order.node is not None
        return await self._node(order.node).launch(order, ears)

    def _node(self, name: str) -> RemoteNode:
        from asynctask.manager.remote.node import RemoteNode
        from asynctask.ssh.options import SSHOptions
        from asynctask.ssh.pool import ConnectionPool

        node = self._nodes.get(name)
        if node is None:
            if self._pool is None and self._own_pool is None:
                self._own_pool = ConnectionPool()
            pool = self._pool or self._own_pool
            assert pool is not None
            node = self._nodes[name] = RemoteNode(
                name,
                manager=self._name,
                owner=self._owner,
                ssh=self._ssh or SSHOptions(),
                pool=pool,
                pace=self._pace,
            )
        return node

    async def aclose(self) -> None:
        """Let go of all nodes. Processes that are left there go on. Bounded."""
        self._closed = True
        try:
            async with anyio.create_task_group() as group:
                for node in self._nodes.values():
                    group.start_soon(node.aclose)
        finally:
            if self._own_pool is not None:
                await self._own_pool.aclose()
