"""The ``openssh-copy`` worker: files and trees by SFTP, over connections of the system's ``ssh``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from asynctask.ssh.options import SSHOptions
from asynctask.workers.connections import Connections
from asynctask.workers.copy import CopyWorker
from asynctask.workers.openssh_command import check_options
from asynctask.workers.openssh_pool import pool_through
from asynctask.workers.resources import Resources

__all__ = ("OpenSSHCopyWorker",)


class OpenSSHCopyWorker(CopyWorker):
    """Copies a file or a tree to each node, or from each node to here, as the worker ``copy`` does.

    Args:
        source: what to copy.
        dest: where to.
        nodes: the targets, in the order in which they start.
        ssh: how to connect; see :class:`~asynctask.workers.openssh.OpenSSHWorker`.
        ssh_path: the program, OpenSSH 7.4 or later.
        ssh_options: more arguments for it, which count before ``ssh``.

    The others, such as ``reverse`` and ``preserve``, are those of :class:`~asynctask.CopyWorker`.

    Raises:
        UsageError: an option that cannot be passed on, or a path that cannot be one.
    """

    name: ClassVar[str] = "openssh-copy"
    remote: ClassVar[bool] = True

    def __init__(
        self,
        source: str | os.PathLike[str],
        dest: str | os.PathLike[str],
        nodes: Sequence[str],
        *,
        ssh: SSHOptions | None = None,
        ssh_path: str | os.PathLike[str] = "ssh",
        ssh_options: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(source, dest, nodes, ssh=ssh, **settings)
        check_options(self.ssh, ssh_path, ssh_options)
        self._ssh_path = os.fspath(ssh_path)
        self._ssh_options = tuple(ssh_options)

    def _connections(self, resources: Resources) -> Connections:
        return pool_through(resources, self._ssh_path, self._ssh_options)
