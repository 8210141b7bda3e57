"""asynctask for programs without asyncio: ClusterShell's names, and tasks that block.

A script written for ClusterShell runs after its imports are changed to this module. Everything here is a
façade: a task runs :class:`asynctask.Task` on a loop in its own thread.
"""

from __future__ import annotations

from asynctask.errors import PortClosedError as PortClosedError
from asynctask.errors import PortFullError as PortFullError
from asynctask.events import EventHandler as EventHandler
from asynctask.messages import MsgTree as MsgTree
from asynctask.nodes import NodeSet as NodeSet
from asynctask.sync.errors import AlreadyRunningError as AlreadyRunningError
from asynctask.sync.errors import EngineAbortException as EngineAbortException
from asynctask.sync.errors import EngineAlreadyRunningError as EngineAlreadyRunningError
from asynctask.sync.errors import EngineClientError as EngineClientError
from asynctask.sync.errors import EngineClientException as EngineClientException
from asynctask.sync.errors import EngineClientNotSupportedError as EngineClientNotSupportedError
from asynctask.sync.errors import EngineException as EngineException
from asynctask.sync.errors import EngineIllegalOperationError as EngineIllegalOperationError
from asynctask.sync.errors import EngineNotSupportedError as EngineNotSupportedError
from asynctask.sync.errors import EngineTimeoutException as EngineTimeoutException
from asynctask.sync.errors import TaskError as TaskError
from asynctask.sync.errors import TaskException as TaskException
from asynctask.sync.errors import TaskMsgTreeError as TaskMsgTreeError
from asynctask.sync.errors import TimeoutError as TimeoutError
from asynctask.sync.errors import WorkerError as WorkerError
from asynctask.sync.errors import WorkerException as WorkerException
from asynctask.sync.objects import EnginePort as EnginePort
from asynctask.sync.objects import EngineTimer as EngineTimer
from asynctask.sync.tasks import Task as Task
from asynctask.sync.tasks import task_cleanup as task_cleanup
from asynctask.sync.tasks import task_self as task_self
from asynctask.sync.tasks import task_terminate as task_terminate
from asynctask.sync.tasks import task_wait as task_wait
from asynctask.sync.workers import DistantWorker as DistantWorker
from asynctask.sync.workers import ExecWorker as ExecWorker
from asynctask.sync.workers import StreamWorker as StreamWorker
from asynctask.sync.workers import Worker as Worker
from asynctask.sync.workers import WorkerPopen as WorkerPopen
from asynctask.sync.workers import WorkerSimple as WorkerSimple
from asynctask.sync.workers import WorkerSsh as WorkerSsh
