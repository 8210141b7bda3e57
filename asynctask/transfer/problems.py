"""What stops a transfer, before it is known which node it is about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ("LinkLost", "Problem", "local_problems")


class Problem(Exception):  # noqa: N818 - a reason, made into a node's error by the worker
    """A file could not be copied.

    Args:
        path: which.
        reason: why not.
    """

    def __init__(self, path: bytes, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason


class LinkLost(Exception):  # noqa: N818 - likewise
    """The connection, or the SFTP server at its other end, is gone."""


@contextmanager
def local_problems(path: bytes) -> Iterator[None]:
    """Turn what the system says about a file here into a :class:`Problem`."""
    try:
        yield
    except OSError as exc:
        reason = os.strerror(exc.errno).lower() if exc.errno else str(exc)
        raise Problem(path, reason) from exc
