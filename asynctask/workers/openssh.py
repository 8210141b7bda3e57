"""The ``openssh`` worker: the system's ``ssh`` logs in, one process a node."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from asynctask.ssh.options import SSHOptions
from asynctask.workers.base import Worker
from asynctask.workers.connections import Connections
from asynctask.workers.openssh_command import check_options
from asynctask.workers.openssh_pool import pool_through
from asynctask.workers.resources import Resources
from asynctask.workers.ssh import SSHWorker

__all__ = ("OpenSSHWorker",)


class OpenSSHWorker(SSHWorker):
    """Runs the command in the login shell of each node, over connections of the system's ``ssh``.

    For sites whose logins need what only OpenSSH's own client has: GSSAPI, hardware tokens, odd proxies. All
    events and outcomes are those of the ``ssh`` worker; a node costs a process, and more time.
    ``ssh`` can ask for a password only through ``SSH_ASKPASS``.

    Args:
        ssh: how to connect; by default as the configuration says. ``password``, ``passphrase``, ``prompt``
            and ``ask_each`` cannot be passed on. For hosts on the way the configuration counts alone.
        ssh_path: the program, OpenSSH 7.4 or later.
        ssh_options: more arguments for it, which count before ``ssh``; they must not change what runs.

    The others are those of :class:`~asynctask.Worker`.

    Raises:
        UsageError: an option that cannot be passed on.
    """

    name: ClassVar[str] = "openssh"
    remote: ClassVar[bool] = True
    copier: ClassVar[str | type[Worker] | None] = "openssh-copy"

    def __init__(
        self,
        command: str,
        nodes: Sequence[str],
        *,
        ssh: SSHOptions | None = None,
        ssh_path: str | os.PathLike[str] = "ssh",
        ssh_options: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(command, nodes, ssh=ssh, **settings)
        check_options(self.ssh, ssh_path, ssh_options)
        self._ssh_path = os.fspath(ssh_path)
        self._ssh_options = tuple(ssh_options)

    def _connections(self, resources: Resources) -> Connections:
        return pool_through(resources, self._ssh_path, self._ssh_options)
