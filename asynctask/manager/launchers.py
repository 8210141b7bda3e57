"""Who starts processes: one for this machine, one for nodes, each made when it is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from asynctask.manager.launching import Launcher

if TYPE_CHECKING:
    from asynctask.ssh.options import SSHOptions
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Launchers",)


class Launchers:
    """The launchers of one manager.

    Args:
        name: the manager's.
        state_dir: where detached processes are remembered; ``None``: where they are by default.
        ssh: how to connect to nodes.
        pool: whose connections to use; ``None``: own ones.
        given: one for everything, instead.
    """

    def __init__(
        self,
        name: str,
        state_dir: Path | None,
        ssh: SSHOptions | None,
        pool: ConnectionPool | None,
        given: Launcher | None,
    ) -> None:
        self._name = name
        self._state_dir = state_dir
        self._ssh = ssh
        self._pool = pool
        self._local = self._remote = given

    def on(self, node: str | None) -> Launcher:
        """Who starts processes on a node, or here."""
        if node is None:
            if self._local is None:
                from asynctask.manager.local.launcher import LocalLauncher

                self._local = LocalLauncher(name=self._name, state_dir=self._state_dir)
            return self._local
        if self._remote is None:
            from asynctask.manager.remote.launcher import RemoteLauncher

            self._remote = RemoteLauncher(name=self._name, ssh=self._ssh, pool=self._pool)
        return self._remote

    async def end_strays(self, kept: Mapping[str, int], spared: Collection[str]) -> list[str]:
        """End what was left detached on this machine, and no place has. What that was.

        Args:
            kept: how many places there are, by the name of their template.
            spared: names of templates whose processes are left alone, though there is no place.
        """
        from asynctask.manager.local.launcher import LocalLauncher

        launcher = self.on(None)
        return await launcher.end_strays(kept, spared) if isinstance(launcher, LocalLauncher) else []

    async def aclose(self) -> None:
        """Let go of all of them."""
        launchers = {id(each): each for each in (self._local, self._remote) if each is not None}
        for launcher in launchers.values():
            await launcher.aclose()
