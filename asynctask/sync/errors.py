"""ClusterShell's exceptions under their names, each also one of asynctask's own where one fits."""

from __future__ import annotations

from asynctask.errors import AsyncTaskError, HandlerErrors, TaskStateError, TaskTimeoutError

__all__ = (
    "AlreadyRunningError",
    "EngineAbortException",
    "EngineAlreadyRunningError",
    "EngineClientError",
    "EngineClientException",
    "EngineClientNotSupportedError",
    "EngineException",
    "EngineIllegalOperationError",
    "EngineNotSupportedError",
    "EngineTimeoutException",
    "TaskError",
    "TaskException",
    "TaskMsgTreeError",
    "TimeoutError",
    "WorkerError",
    "WorkerException",
)


class TaskException(AsyncTaskError):  # noqa: N818 - ClusterShell's name, like the others here
    """What a task raises, apart from errors of usage."""


class TaskError(TaskException):
    """A task cannot do what it was asked for."""


class TimeoutError(TaskError, TaskTimeoutError):  # noqa: A001
    """The task did not end within the time given to ``run()`` or ``resume()``; it carries the result."""


class AlreadyRunningError(TaskError, TaskStateError):
    """The task runs already."""


class TaskMsgTreeError(TaskError):
    """Output was asked for that the task was told not to keep (``stdout_msgtree``, ``stderr_msgtree``)."""


class WorkerException(AsyncTaskError):  # noqa: N818
    """What a worker raises."""


class WorkerError(WorkerException, TaskStateError):
    """A worker was scheduled twice, or changed too late."""


class EngineException(AsyncTaskError):  # noqa: N818
    """What an engine raised."""


class EngineAbortException(EngineException):
    """ClusterShell raises it out of ``abort()`` in a handler; here ``abort()`` returns."""


class EngineTimeoutException(EngineException):
    """ClusterShell raises it inside its engine; nothing raises it here."""


class EngineIllegalOperationError(EngineException, TaskStateError):
    """A timer that is not valid any more was to be set."""


class EngineAlreadyRunningError(EngineIllegalOperationError):
    """ClusterShell raises it inside its engine; here it is :class:`AlreadyRunningError`."""


class EngineNotSupportedError(EngineException):
    """ClusterShell raises it for an engine that the system lacks; here the engine is the asyncio loop."""


class EngineClientException(AsyncTaskError):  # noqa: N818
    """What an engine client raised."""


class EngineClientError(EngineClientException):
    """ClusterShell raises it inside its engine; nothing raises it here."""


class EngineClientNotSupportedError(EngineClientError):
    """ClusterShell raises it for writing to a pdsh worker, which there is none of here."""


def as_raised(exc: BaseException) -> BaseException:
    """What a blocking ``run()`` raises for what the asynchronous one did."""
    if isinstance(exc, HandlerErrors) and len(exc.exceptions) == 1:
        return exc.exceptions[0]  # as a script expects that catches what its handlers raise
    if isinstance(exc, TaskTimeoutError):
        return TimeoutError(exc.timeout, exc.result)
    return exc
