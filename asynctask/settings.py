"""The keywords that ``run``, ``stream``, ``Task`` and ``Task.shell`` have in common."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict

from asynctask.waiting import DefaultSeconds
from asynctask.workers.base import DEFAULT_GRACE, Stdin, Worker

if TYPE_CHECKING:
    from asynctask.nodes import NodeSet
    from asynctask.ssh.options import SSHOptions
    from asynctask.workers.arguments import Args
    from asynctask.workers.sudo import Sudo

__all__ = ("DEFAULTS", "LOCAL", "CopySettings", "Nodes", "PathLike", "ShellSettings", "WorkerSettings")

#: What ``nodes=`` takes: a node set (``"web[1-9]"``, ``"@db"``), a ``NodeSet``, or an iterable of them.
Nodes: TypeAlias = "str | NodeSet | Iterable[str]"
#: The name of a file.
PathLike: TypeAlias = str | os.PathLike[str]

#: How many nodes run at once unless told otherwise; ClusterShell's figure.
DEFAULT_FANOUT = 64
#: Seconds to connect and log in unless told otherwise; ClusterShell's figure.
DEFAULT_CONNECT_TIMEOUT = DefaultSeconds(10.0)


class _Local(enum.Enum):
    LOCAL = "local"

    def __repr__(self) -> str:
        return "LOCAL"


#: Stands for *no nodes were named*: the command runs once, on this machine. An empty set of
#: nodes is something else, and an error.
LOCAL = _Local.LOCAL


class WorkerSettings(TypedDict, total=False):
    """What a task sets for all its workers, commands and copies alike, and a worker may set for itself.

    Keys:
        worker: ``"ssh"``, ``"exec"`` or a subclass of :class:`~asynctask.Worker`. Default: ``"ssh"``
            where nodes are named. Files are copied by the worker that goes with it.
        handler: hears the events; see :class:`~asynctask.EventHandler`. A list or tuple if several do.
        timeout: seconds for the command or copy on each node, counted from its start there.
            Default: no limit.
        connect_timeout: seconds to connect and log in, counted from the node's turn.
            Default: ``ConnectTimeout`` of the SSH configuration, and else 10.
        stderr: keep standard error apart from standard output. Default: no.
        gather: keep the output for the getters of the result; ``"stdout"`` or ``"stderr"``: that stream
            alone. Default: yes.
        grace: seconds between TERM and KILL. Default: 3.
        ssh: how to connect; see :class:`~asynctask.SSHOptions`.
    """

    worker: str | type[Worker]
    handler: object
    timeout: float | None
    connect_timeout: float | None
    stderr: bool
    gather: bool | str
    grace: float
    ssh: SSHOptions | None


class ShellSettings(WorkerSettings, total=False):
    """What a single command can be given besides.

    Keys:
        nodes: the targets: a node set (``"web[1-9]"``, ``"@db"``), a ``NodeSet``, or an iterable of them.
            They start in the order given. Left out: the command runs once, on this machine.
        key: the name of the target if no nodes are named. Default: ``"localhost"``.
        fanout: how many of the command's nodes run at once. Default: they share the task's, which is
            64 for ``run`` and ``stream``.
        stdin: what the command reads: bytes, an async iterable of bytes, or a function that makes
            one of these for a node; true: what ``worker.write()`` brings. Default: nothing; it finds the
            end at once.
        env: environment variables for the command, besides those that it has on each node anyway: text,
            by names of letters, digits and ``_``. Default: the task's, which has none.
        args: what differs from node to node: a mapping from node to :class:`~asynctask.NodeArgs`, or a
            function that tells it for a node when its turn comes. A plain mapping of text in place of
            ``NodeArgs`` is what ``%{name}`` stands for in the command.
        sudo: run the command as another user, by sudo: ``True`` for root, or a :class:`~asynctask.Sudo`
            (SSH only). Default: no.
        pty: give the command a terminal; standard error is then part of standard output (SSH only).
            Default: no.
        autoclose: the worker does not keep the run going: when all else is over, what is left of it is
            aborted. Default: no.
        options: more keywords for the worker's class.
    """

    nodes: Nodes
    key: str
    fanout: int | None
    stdin: Stdin
    env: Mapping[str, str] | None
    args: Args | None
    sudo: Sudo | bool
    pty: bool
    autoclose: bool
    options: dict[str, Any]


class CopySettings(WorkerSettings, total=False):
    """What a single copy can be given besides.

    Keys:
        fanout: how many of its nodes copy at once. Default: they share the task's.
        preserve: keep permissions and times. Default: no.
        skip_identical: leave out files that are there already, of the same size and time. Default: no.
        autoclose: the copy does not keep the run going. Default: no.
        options: more keywords for the class that copies.
    """

    fanout: int | None
    preserve: bool
    skip_identical: bool
    autoclose: bool
    options: dict[str, Any]


DEFAULTS: WorkerSettings = {
    "handler": None,
    "timeout": None,
    "connect_timeout": DEFAULT_CONNECT_TIMEOUT,
    "stderr": False,
    "gather": True,
    "grace": DEFAULT_GRACE,
    "ssh": None,
}
