"""Finds a worker class by the name that ``worker=`` and ``-R`` take.

Other packages offer theirs by an entry point of the group ``asynctask.workers``.
"""

from __future__ import annotations

import inspect
from importlib import import_module

from asynctask.errors import UsageError
from asynctask.workers.base import Worker

__all__ = ("COPIERS", "ENTRY_POINTS", "WORKERS", "copier_class", "worker_class")

#: The group of entry points under which other packages offer worker classes.
ENTRY_POINTS = "asynctask.workers"
#: Name → where the class is; imported when first used, since asyncssh takes its time.
WORKERS = {
    "exec": ("asynctask.workers.exec", "ExecWorker"),
    "ssh": ("asynctask.workers.ssh", "SSHWorker"),
    "openssh": ("asynctask.workers.openssh", "OpenSSHWorker"),
}
#: The same of those that copy files, by :attr:`~asynctask.Worker.copier`.
COPIERS = {
    "copy": ("asynctask.workers.copy", "CopyWorker"),
    "openssh-copy": ("asynctask.workers.openssh_copy", "OpenSSHCopyWorker"),
}
#: Those that take no command, and what to do instead.
_BY_HAND = {
    "stream": "make an asynctask.StreamWorker and schedule it",
    "copy": "use copy() or rcopy()",
    "openssh-copy": "use copy() or rcopy() with worker='openssh'",
}


def worker_class(worker: str | type[Worker]) -> type[Worker]:
    """The class for a name; a class is returned as it is.

    Raises:
        UsageError: there is no such worker.
    """
    if isinstance(worker, str):
        if worker in WORKERS:
            return _load(*WORKERS[worker])
        return _from_another_package(worker)
    if inspect.isclass(worker) and issubclass(worker, Worker):
        return worker
    raise UsageError(f"worker={worker!r}: a name or a subclass of asynctask.Worker")


def copier_class(worker: type[Worker]) -> type[Worker]:
    """The class that copies files to and from the nodes of a worker.

    Raises:
        UsageError: there is none.
    """
    copier = worker.copier
    if copier is None and not worker.remote:
        raise UsageError(
            f"the worker {worker.name!r} copies no files: give worker='ssh', or another that does"
        )
    if copier is None or isinstance(copier, str):
        return _load(*COPIERS[copier or "copy"])
    return copier


def _load(module: str, name: str) -> type[Worker]:
    found: type[Worker] = getattr(import_module(module), name)
    return found


def _from_another_package(worker: str) -> type[Worker]:
    if worker in _BY_HAND:
        raise UsageError(f"the worker {worker!r} runs no command: {_BY_HAND[worker]}")
    from importlib.metadata import entry_points  # 10 ms that most programs need not spend

    offered = entry_points(group=ENTRY_POINTS)
    for entry in offered:
        if entry.name == worker:
            try:
                found = entry.load()
            except Exception as exc:  # it is another package's code
                raise UsageError(f"worker {worker!r}: {entry.value} cannot be loaded: {exc}") from exc
            return worker_class(found)
    known = ", ".join(sorted({*WORKERS, *offered.names}))
    raise UsageError(f"unknown worker {worker!r}: choose one of {known}, or give a class")
