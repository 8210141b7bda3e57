"""Makes workers of what a task is told: which class, with which settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from asynctask.errors import UsageError
from asynctask.nodes import expand
from asynctask.settings import LOCAL, CopySettings, Nodes, ShellSettings
from asynctask.workers.registry import copier_class, worker_class

if TYPE_CHECKING:
    from asynctask.parameters import Parameters
    from asynctask.workers.base import Worker
    from asynctask.workers.resources import Resources

__all__ = ("make_copier", "make_worker", "share_pool")

#: The task's settings that mean nothing to a copy.
_OF_COMMANDS = ("worker", "ssh", "env")


def make_worker(
    command: str, settings: Mapping[str, Any], defaults: Mapping[str, Any], parameters: Parameters
) -> Worker:
    """A worker that runs a command.

    Args:
        command: for the shell of each node.
        settings: what was given for it.
        defaults: those of the task.
        parameters: ClusterShell's defaults of the task.

    Raises:
        UsageError: something in it can never work.
        TypeError: there is no such setting.
    """
    if not isinstance(command, str):
        raise UsageError(f"a command is text for a shell, not {type(command).__name__}: {command!r}")
    if not command.strip():
        raise UsageError(f"no command to run: {command!r}")
    _check_known("command", settings, ShellSettings)
    merged = {"stdin": parameters.stdin, **defaults, **settings}
    nodes = merged.pop("nodes", LOCAL)
    key = merged.pop("key", None)
    options = merged.pop("options", {})
    chosen = merged.pop("worker", None)
    ssh = merged.pop("ssh")
    if nodes is LOCAL:
        targets: Sequence[str] = (key or "localhost",)
        cls = _local_class(settings.get("worker"), parameters)
        if issubclass(cls, worker_class("exec")):
            options = {"placeholders": False, **options}
    else:
        if key is not None:
            raise UsageError("key= names the target of a command without nodes=; give one of them")
        targets = expand(nodes)
        cls = worker_class(chosen or "ssh")
        options = {**parameters.program_options(cls), **options}
    if not cls.logs_in:
        _refuse(cls, settings, "sudo", "pty")
        merged.pop("sudo", None)
        merged.pop("pty", None)
    return cls(command, targets, **merged, **{**_connecting(cls, ssh, settings), **options})


def make_copier(
    source: object,
    dest: object,
    nodes: Nodes,
    settings: Mapping[str, Any],
    defaults: Mapping[str, Any],
    parameters: Parameters,
    *,
    reverse: bool,
) -> Worker:
    """A worker that copies files to nodes, or with ``reverse`` from them; the arguments are likewise.

    Raises:
        UsageError: something in it can never work.
        TypeError: there is no such setting.
    """
    _check_known("copy", settings, CopySettings)
    merged = {**defaults, **settings}
    options = merged.pop("options", {})
    worker = worker_class(merged.get("worker") or "ssh")
    options = {**parameters.program_options(worker), **options}
    cls = copier_class(worker)
    ssh = merged["ssh"]
    for name in _OF_COMMANDS:
        merged.pop(name, None)
    make: Any = cls  # what it takes is its own
    copier: Worker = make(
        source,
        dest,
        expand(nodes),
        reverse=reverse,
        **merged,
        **{**_connecting(cls, ssh, settings), **options},
    )
    return copier


def share_pool(resources: Resources, pool: object) -> None:
    """Have the workers of a task use the connections of a pool that is not the task's own.

    Raises:
        UsageError: that is no pool.
    """
    from asynctask.ssh.pool import ConnectionPool  # here, for asyncssh takes its time to load

    if not isinstance(pool, ConnectionPool):
        raise UsageError(f"pool={pool!r}: an asynctask.ConnectionPool is needed")
    resources.share(ConnectionPool, pool)


def _check_known(what: str, settings: Mapping[str, Any], known: type) -> None:
    unknown = settings.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown settings for a {what}: {', '.join(sorted(unknown))}")


def _local_class(chosen: str | type[Worker] | None, parameters: Parameters) -> type[Worker]:
    if chosen is None:
        return parameters.local_worker()
    cls = worker_class(chosen)
    if not issubclass(cls, worker_class("exec")):
        raise UsageError(f"worker={chosen!r} needs nodes=")
    return cls


def _connecting(cls: type[Worker], ssh: object, settings: Mapping[str, Any]) -> dict[str, Any]:
    if cls.remote:
        return {"ssh": ssh}
    _refuse(cls, settings, "ssh")
    return {}


def _refuse(cls: type[Worker], settings: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if settings.get(name):
            raise UsageError(f"{name}= is of no use to the worker {cls.name!r}")
