"""Finds a worker class by the name that ``worker=`` and ``-R`` take."""

from __future__ import annotations

import inspect
from importlib import import_module

from asynctask.errors import UsageError
from asynctask.workers.base import Worker

__all__ = ("WORKERS", "worker_class")

#: Name → where the class is; imported when first used, since asyncssh takes its time.
WORKERS = {
    "exec": ("asynctask.workers.exec", "ExecWorker"),
    "ssh": ("asynctask.workers.ssh", "SSHWorker"),
}


def worker_class(worker: str | type[Worker]) -> type[Worker]:
    """The class for a name; a class is returned as it is.

    Raises:
        UsageError: there is no such worker.
    """
    if isinstance(worker, str):
        try:
            module, name = WORKERS[worker]
        except KeyError:
            known = ", ".join(sorted(WORKERS))
            raise UsageError(f"unknown worker {worker!r}: choose one of {known}, or give a class") from None
        found: type[Worker] = getattr(import_module(module), name)
        return found
    if inspect.isclass(worker) and issubclass(worker, Worker):
        return worker
    raise UsageError(f"worker={worker!r}: a name or a subclass of asynctask.Worker")
