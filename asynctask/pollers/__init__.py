"""Pollers: what has changed at a URL?

:func:`make_poller` makes the one for a URL. ``await poller.get_new_events()`` is what has changed since the
last call; ``async for changes in poller.watch()`` waits for it. The classes that need more than asynctask
itself are loaded when they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from asynctask.pollers.base import Poller as Poller
from asynctask.pollers.base import SnapshotPoller as SnapshotPoller
from asynctask.pollers.changes import Change as Change
from asynctask.pollers.changes import Listing as Listing
from asynctask.pollers.changes import Stamp as Stamp
from asynctask.pollers.file import FilePoller as FilePoller
from asynctask.pollers.joining import PollerGenerator as PollerGenerator
from asynctask.pollers.joining import publish_changes as publish_changes
from asynctask.pollers.records import PollerStatistics as PollerStatistics
from asynctask.pollers.registry import make_poller as make_poller
from asynctask.pollers.registry import register_poller as register_poller
from asynctask.pollers.watching import Watch as Watch

if TYPE_CHECKING:
    from asynctask.pollers.http import HttpPoller as HttpPoller
    from asynctask.pollers.inotify import INotifyPoller as INotifyPoller
    from asynctask.pollers.s3 import S3Poller as S3Poller
    from asynctask.pollers.swift import SwiftPoller as SwiftPoller

__all__ = (
    "Change",
    "FilePoller",
    "HttpPoller",
    "INotifyPoller",
    "Listing",
    "Poller",
    "PollerGenerator",
    "PollerStatistics",
    "S3Poller",
    "SnapshotPoller",
    "Stamp",
    "SwiftPoller",
    "Watch",
    "make_poller",
    "publish_changes",
    "register_poller",
)

_HOME_OF = {
    "HttpPoller": "http",
    "INotifyPoller": "inotify",
    "S3Poller": "s3",
    "SwiftPoller": "swift",
}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    return value
