"""The connections that the workers of a run share."""

from __future__ import annotations

from asynctask.ssh.pool import ConnectionPool
from asynctask.workers.resources import Resources

__all__ = ("pool_of",)


def pool_of(resources: Resources) -> ConnectionPool:
    """The pool of the task that a worker runs in."""
    return resources.get(ConnectionPool, ConnectionPool)
