"""Finds a worker class by the name that ``worker=`` and ``-R`` take.

Other packages offer theirs by an entry point of the group ``asynctask.workers``.
"""

from __future__ import annotations

import inspect
from importlib import import_module
from importlib.metadata import entry_points

from asynctask.errors import UsageError
from asynctask.workers.base import Worker

__all__ = ("COPIERS", "ENTRY_POINTS", "WORKERS", "worker_class")

#: The group of entry points under which other packages offer worker classes.
ENTRY_POINTS = "asynctask.workers"
#: Name → where the class is; imported when first used, since asyncssh takes its time.
WORKERS = {
    "exec": ("asynctask.workers.exec", "ExecWorker"),
    "ssh": ("asynctask.workers.ssh", "SSHWorker"),
    "openssh": ("asynctask.workers.openssh", "OpenSSHWorker"),
}
#: The same of those that copy files; found by :meth:`~asynctask.Task.copy`, and so not offered as a choice.
COPIERS = {
    "copy": ("asynctask.workers.copy", "CopyWorker"),
    "openssh-copy": ("asynctask.workers.openssh_copy", "OpenSSHCopyWorker"),
}
#: Those that take no command: they are made by hand.
_BY_HAND = {"stream": "asynctask.StreamWorker"}


def worker_class(worker: str | type[Worker]) -> type[Worker]:
    """The class for a name; a class is returned as it is.

    Raises:
        UsageError: there is no such worker.
    """
    if isinstance(worker, str):
        place = WORKERS.get(worker) or COPIERS.get(worker)
        if place is not None:
            module, name = place
            found: type[Worker] = getattr(import_module(module), name)
            return found
        return _from_another_package(worker)
    if inspect.isclass(worker) and issubclass(worker, Worker):
        return worker
    raise UsageError(f"worker={worker!r}: a name or a subclass of asynctask.Worker")


def _from_another_package(worker: str) -> type[Worker]:
    if worker in _BY_HAND:
        raise UsageError(f"the worker {worker!r} runs no command: make an {_BY_HAND[worker]} and schedule it")
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
