"""Log files that a process writes by itself, because it outlives who would write them for it.

Everything here blocks, and belongs into a thread.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asynctask.errors import LaunchError
from asynctask.manager.launching import Order
from asynctask.manager.logfiles import log_path
from asynctask.manager.template import LogFile

__all__ = ("DirectLog", "OpenLogs", "logs_of")

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class DirectLog:
    """A file that takes the output of a stream."""

    path: Path
    log: LogFile


def logs_of(order: Order) -> dict[str, DirectLog]:
    """The log files of a process, by stream."""
    template = order.template
    found = {}
    for stream, redirect in (("stdout", template.stdout), ("stderr", template.stderr)):
        if isinstance(redirect, LogFile):
            path = log_path(
                redirect.path,
                name=template.name,
                index=order.index,
                node=order.node,
                stream=stream,
                cwd=template.cwd,
            )
            found[stream] = DirectLog(path, redirect)
    return found


class OpenLogs:
    """Log files that are open for the moment of a start.

    They are opened in a thread, and closed by who may not wait for it any more.

    Args:
        logs: which.
    """

    def __init__(self, logs: Mapping[str, DirectLog]) -> None:
        self._logs = logs
        self._lock = threading.Lock()
        self._closed = False
        self.fds: dict[str, int] = {}

    def open(self) -> None:
        """Open them. Directories are made when they are missing.

        Raises:
            LaunchError: one cannot be opened.
        """
        for stream, log in self._logs.items():
            try:
                fd = _open(log.path)
            except OSError as exc:
                self.close()
                raise LaunchError(f"log {str(log.path)!r}", (exc.strerror or str(exc)).lower()) from exc
            with self._lock:
                if self._closed:
                    os.close(fd)
                else:
                    self.fds[stream] = fd

    def close(self) -> None:
        """Close them; those that are still being opened, too. May be repeated."""
        with self._lock:
            self._closed = True
            for fd in self.fds.values():
                os.close(fd)
            self.fds.clear()


def _open(path: Path) -> int:
    try:
        fd = os.open(path, _FLAGS, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, _FLAGS, 0o666)
    os.set_blocking(fd, True)  # only opening must not hang, as it would for a pipe that nobody reads
    return fd
