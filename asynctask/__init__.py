"""Run commands on many nodes from one asyncio loop.

This module holds the public names; everything else is behind them. The package is built in floors,
and a module imports only from its own floor or a lower one (``tests/test_structure.py``):

0. ``errors``
1. ``group_sources`` ``nodes`` ``lines`` ``messages`` ``outcome`` ``events`` ``emitter`` ``states``
   ``waiting``
2. ``process_groups`` ``processes`` ``ssh`` ``transfer`` ``dispatch`` ``pollers``
3. ``port`` ``timer`` ``workers``
4. ``settings`` ``parameters`` ``results`` ``calling`` ``pump`` ``targets`` ``attachments`` ``spawning``
   ``scheduling`` ``background`` ``iteration`` ``publishing`` ``making`` ``intake`` ``task`` ``streaming``
5. ``manager`` ``rules`` ``sync`` ``testing``
6. ``cli``

Names are loaded when they are first used, so that ``import asynctask`` and the command line start
quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from asynctask._version import __version__ as __version__

if TYPE_CHECKING:
    from asynctask.emitter import EmittedEvent as EmittedEvent
    from asynctask.emitter import EmitterStatistics as EmitterStatistics
    from asynctask.emitter import EventEmitter as EventEmitter
    from asynctask.emitter import EventStream as EventStream
    from asynctask.emitter import Subscription as Subscription
    from asynctask.errors import AsyncTaskError as AsyncTaskError
    from asynctask.errors import AuthenticationError as AuthenticationError
    from asynctask.errors import ConnectionDroppedError as ConnectionDroppedError
    from asynctask.errors import ConnectionFailedError as ConnectionFailedError
    from asynctask.errors import ConnectionLostError as ConnectionLostError
    from asynctask.errors import ConnectionRefusedByNodeError as ConnectionRefusedByNodeError
    from asynctask.errors import EmitterClosedError as EmitterClosedError
    from asynctask.errors import EmitterFullError as EmitterFullError
    from asynctask.errors import EmptyTargetsError as EmptyTargetsError
    from asynctask.errors import GroupError as GroupError
    from asynctask.errors import HandlerErrors as HandlerErrors
    from asynctask.errors import HostKeyError as HostKeyError
    from asynctask.errors import LaunchError as LaunchError
    from asynctask.errors import ManagerError as ManagerError
    from asynctask.errors import NoCapacityError as NoCapacityError
    from asynctask.errors import NodeError as NodeError
    from asynctask.errors import NodeSetError as NodeSetError
    from asynctask.errors import PlaceholderError as PlaceholderError
    from asynctask.errors import PollerError as PollerError
    from asynctask.errors import PortClosedError as PortClosedError
    from asynctask.errors import PortFullError as PortFullError
    from asynctask.errors import ProcessNotFoundError as ProcessNotFoundError
    from asynctask.errors import RunFailed as RunFailed
    from asynctask.errors import SpawnError as SpawnError
    from asynctask.errors import SSHConfigError as SSHConfigError
    from asynctask.errors import TaskStateError as TaskStateError
    from asynctask.errors import TaskTimeoutError as TaskTimeoutError
    from asynctask.errors import TemplateConflictError as TemplateConflictError
    from asynctask.errors import TemplateError as TemplateError
    from asynctask.errors import TemplateNotFoundError as TemplateNotFoundError
    from asynctask.errors import UsageError as UsageError
    from asynctask.events import CopyProgress as CopyProgress
    from asynctask.events import EventHandler as EventHandler
    from asynctask.events import InputUnwritten as InputUnwritten
    from asynctask.events import InputWritten as InputWritten
    from asynctask.events import MessageReceived as MessageReceived
    from asynctask.events import NodeEnded as NodeEnded
    from asynctask.events import NodeExited as NodeExited
    from asynctask.events import NodeOutput as NodeOutput
    from asynctask.events import NodeStarted as NodeStarted
    from asynctask.events import PortStarted as PortStarted
    from asynctask.events import Progress as Progress
    from asynctask.events import TaskEvent as TaskEvent
    from asynctask.events import TimerFired as TimerFired
    from asynctask.events import WorkerClosed as WorkerClosed
    from asynctask.events import WorkerStarted as WorkerStarted
    from asynctask.lines import PartialLine as PartialLine
    from asynctask.messages import Message as Message
    from asynctask.messages import MsgTree as MsgTree
    from asynctask.nodes import NodeSet as NodeSet
    from asynctask.outcome import NodeResult as NodeResult
    from asynctask.outcome import Outcome as Outcome
    from asynctask.outcome import Times as Times
    from asynctask.port import Port as Port
    from asynctask.port import PortStatistics as PortStatistics
    from asynctask.results import Result as Result
    from asynctask.scheduling import RunStatistics as RunStatistics
    from asynctask.ssh.answers import Question as Question
    from asynctask.ssh.options import SSHOptions as SSHOptions
    from asynctask.ssh.pool import ConnectionPool as ConnectionPool
    from asynctask.ssh.pool import PoolStatistics as PoolStatistics
    from asynctask.states import TaskState as TaskState
    from asynctask.streaming import OutputStream as OutputStream
    from asynctask.streaming import stream as stream
    from asynctask.task import Task as Task
    from asynctask.task import copy as copy
    from asynctask.task import rcopy as rcopy
    from asynctask.task import run as run
    from asynctask.timer import Timer as Timer
    from asynctask.workers.arguments import NodeArgs as NodeArgs
    from asynctask.workers.base import Worker as Worker
    from asynctask.workers.copy import CopyWorker as CopyWorker
    from asynctask.workers.exec import ExecWorker as ExecWorker
    from asynctask.workers.openssh import OpenSSHWorker as OpenSSHWorker
    from asynctask.workers.ssh import SSHWorker as SSHWorker
    from asynctask.workers.streams import StreamWorker as StreamWorker
    from asynctask.workers.sudo import Sudo as Sudo

_HOMES = {
    "emitter": ("EmittedEvent", "EmitterStatistics", "EventEmitter", "EventStream", "Subscription"),
    "errors": (
        "AsyncTaskError",
        "AuthenticationError",
        "ConnectionDroppedError",
        "ConnectionFailedError",
        "ConnectionLostError",
        "ConnectionRefusedByNodeError",
        "EmitterClosedError",
        "EmitterFullError",
        "EmptyTargetsError",
        "GroupError",
        "HandlerErrors",
        "HostKeyError",
        "LaunchError",
        "ManagerError",
        "NoCapacityError",
        "NodeError",
        "NodeSetError",
        "PlaceholderError",
        "PollerError",
        "PortClosedError",
        "PortFullError",
        "ProcessNotFoundError",
        "RunFailed",
        "SSHConfigError",
        "SpawnError",
        "TaskStateError",
        "TaskTimeoutError",
        "TemplateConflictError",
        "TemplateError",
        "TemplateNotFoundError",
        "UsageError",
    ),
    "events": (
        "CopyProgress",
        "EventHandler",
        "InputUnwritten",
        "InputWritten",
        "MessageReceived",
        "NodeEnded",
        "NodeExited",
        "NodeOutput",
        "NodeStarted",
        "PortStarted",
        "Progress",
        "TaskEvent",
        "TimerFired",
        "WorkerClosed",
        "WorkerStarted",
    ),
    "lines": ("PartialLine",),
    "messages": ("Message", "MsgTree"),
    "nodes": ("NodeSet",),
    "outcome": ("NodeResult", "Outcome", "Times"),
    "port": ("Port", "PortStatistics"),
    "results": ("Result",),
    "scheduling": ("RunStatistics",),
    "ssh.answers": ("Question",),
    "ssh.options": ("SSHOptions",),
    "ssh.pool": ("ConnectionPool", "PoolStatistics"),
    "streaming": ("OutputStream", "stream"),
    "states": ("TaskState",),
    "task": ("Task", "copy", "rcopy", "run"),
    "timer": ("Timer",),
    "workers.arguments": ("NodeArgs",),
    "workers.base": ("Worker",),
    "workers.copy": ("CopyWorker",),
    "workers.exec": ("ExecWorker",),
    "workers.openssh": ("OpenSSHWorker",),
    "workers.ssh": ("SSHWorker",),
    "workers.streams": ("StreamWorker",),
    "workers.sudo": ("Sudo",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = ("__version__", *sorted(_HOME_OF))  # noqa: PLE0604 - names, all of them strings


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'asynctask' has no attribute {name!r}")
    value: object = getattr(import_module(f"asynctask.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
