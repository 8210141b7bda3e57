"""Every error that asynctask raises or records.

One root, :class:`AsyncTaskError`. Below it the siblings differ by whose fault it is:

* :class:`UsageError`: the caller's. Raised at the call, before anything runs.
* :class:`TaskStateError`: the caller's too: right call, wrong moment.
* :class:`ManagerError`: what a process manager was asked for is not there, or failed.
* :class:`PollerError`: what is watched cannot be seen. A poller tries again when that can help.
* :class:`NodeError`: one node's. It is data (``NodeResult.error``) and is raised only
  when the caller asks, through :class:`RunFailed`.
* :class:`TaskTimeoutError` and :class:`HandlerErrors`: how a whole run ended. Both carry
  the run's result, so nothing that was gathered is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynctask.results import Result

__all__ = (
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
)


class AsyncTaskError(Exception):
    """The root of every error of asynctask."""


# -- the caller's ---------------------------------------------------------------------------


class UsageError(AsyncTaskError, ValueError):
    """A call that can never work as written. Nothing has been started."""


class EmptyTargetsError(UsageError):
    """The set of targets is empty. asynctask then runs nothing, least of all locally."""


class NodeSetError(UsageError):
    """A node set that cannot be parsed. When a group in it is at fault: :class:`GroupError`."""


class GroupError(NodeSetError):
    """A node group, or a source of groups, that is unknown or does not answer."""


class PlaceholderError(UsageError):
    """A command names a ``%`` placeholder that does not exist."""


class SSHConfigError(UsageError):
    """An SSH option, key, ``known_hosts`` or configuration file that cannot be used."""


class TaskStateError(AsyncTaskError, RuntimeError):
    """The task is not in a state in which this call makes sense; it has changed nothing."""


class PortClosedError(AsyncTaskError):
    """The port takes no more messages, or has none left to give. Nothing was sent or received."""


class PortFullError(AsyncTaskError):
    """There is no room in the port now; ``await msg_send()`` would wait for it. Nothing was sent."""


class EmitterClosedError(AsyncTaskError):
    """The emitter is closed. Nothing was published, nobody subscribed."""


class EmitterFullError(AsyncTaskError):
    """There is no room for the event, and its owner chose that this is an error. Nothing was published."""


# -- of the manager -------------------------------------------------------------------------


class TemplateError(UsageError):
    """A process template, or a file of them, that can never work as written. What runs is untouched."""


class ManagerError(AsyncTaskError):
    """A process manager cannot do what it was asked for, now."""


class TemplateConflictError(ManagerError):
    """A template of this name is loaded already."""


class TemplateNotFoundError(ManagerError, LookupError):
    """No template of this name is loaded."""


class ProcessNotFoundError(ManagerError, LookupError):
    """There is no process of this number, or none left."""


class LaunchError(ManagerError):
    """A process could not be started.

    Args:
        what: the command, or its node.
        reason: what was tried and what came of it.
        temporary: it is nobody's fault here, as when a node cannot be reached: this is tried for ever.
    """

    def __init__(self, what: str, reason: str, *, temporary: bool = False) -> None:
        super().__init__(what, reason)
        self.what = what
        self.reason = reason
        self.temporary = temporary

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


# -- of what is watched ---------------------------------------------------------------------


class PollerError(AsyncTaskError):
    """A poller cannot see what it watches. Nothing is taken for deleted, and nothing is lost by it.

    Args:
        url: what is watched, without credentials.
        reason: what was tried and what came of it.
        hint: what to do next; empty when there is nothing useful to say.
        temporary: whether trying again can help.
    """

    def __init__(self, url: str, reason: str, hint: str = "", *, temporary: bool = True) -> None:
        super().__init__(url, reason, hint)
        self.url = url
        self.reason = reason
        self.hint = hint
        self.temporary = temporary

    def __str__(self) -> str:
        text = f"{self.url}: {self.reason}"
        return f"{text}; {self.hint}" if self.hint else text


# -- one node's -----------------------------------------------------------------------------


class NodeError(AsyncTaskError):
    """What went wrong with one node: data first, text computed.

    A worker that raises it, and none of the more telling kinds below, aborts its node.

    Args:
        node: the target it happened to.
        reason: what was tried and what came of it.
        hint: what to do next; empty when there is nothing useful to say.
    """

    def __init__(self, node: str, reason: str, hint: str = "") -> None:
        super().__init__(node, reason, hint)
        self.node = node
        self.reason = reason
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.node}: {self.reason}"
        return f"{text}; {self.hint}" if self.hint else text


class SpawnError(NodeError):
    """The command could not be started. One that starts and fails is no error."""


class ConnectionFailedError(NodeError):
    """No usable connection: unknown name, no route, no answer in time, a broken handshake."""


class ConnectionDroppedError(ConnectionFailedError):
    """The server hung up before the login, again and again; one that is asked by too many does."""

    throttling = False
    """Whether the server said that this is why."""


class ConnectionRefusedByNodeError(ConnectionFailedError):
    """The address answered and nothing listens on the port."""


class ConnectionLostError(NodeError):
    """The connection broke while the command ran; what it printed until then is kept."""


class AuthenticationError(NodeError):
    """The node refused every way of logging in that was offered."""


class HostKeyError(NodeError):
    """The node's host key is unknown, revoked, or not the one that is on record."""


class NoCapacityError(NodeError):
    """This machine is out of descriptors or processes for now.

    Raised by a worker before anything was started; the run then waits for another node to
    end and tries this one again. It reaches a caller only when nothing is left to wait for.
    """


# -- a whole run's --------------------------------------------------------------------------


class TaskTimeoutError(AsyncTaskError, TimeoutError):
    """The run did not end within its timeout. ``result`` has what there is."""

    def __init__(self, timeout: float, result: Result) -> None:
        super().__init__(timeout, result)
        self.timeout = timeout
        self.result = result

    def __str__(self) -> str:
        return f"the run did not end within {self.timeout:g} s: {self.result.summary()}"


class RunFailed(AsyncTaskError):  # noqa: N818 - reads as what happened: ``except RunFailed``
    """Raised by :meth:`~asynctask.Result.raise_for_failures` when a node did not end well."""

    def __init__(self, result: Result) -> None:
        super().__init__(result)
        self.result = result

    def __str__(self) -> str:
        return self.result.summary()


class HandlerErrors(AsyncTaskError, ExceptionGroup[Exception]):  # noqa: N818 - a group
    """All exceptions that handlers raised in a run, each with a note of where.

    The run itself was completed: ``result`` has the outcome of every node.
    """

    result: Result

    def __new__(cls, message: str, exceptions: Sequence[Exception], result: Result) -> HandlerErrors:
        self: HandlerErrors = super().__new__(cls, message, exceptions)
        self.result = result
        return self

    def __init__(self, message: str, exceptions: Sequence[Exception], result: Result) -> None:
        super().__init__(message, exceptions)

    def derive(self, excs: Sequence[Any], /) -> HandlerErrors:  # type: ignore[override]
        return HandlerErrors(self.message, excs, self.result)
