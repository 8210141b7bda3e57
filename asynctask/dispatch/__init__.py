"""An event framework: generators make events, a dispatcher queues them, a processor has them handled.

On the running asyncio loop; :mod:`asynctask.sync.dispatch` has the same for plain threads.
"""

from __future__ import annotations

from asynctask.dispatch.dispatcher import DispatcherStatistics as DispatcherStatistics
from asynctask.dispatch.dispatcher import EventDispatcher as EventDispatcher
from asynctask.dispatch.event import ErrorEvent as ErrorEvent
from asynctask.dispatch.event import Event as Event
from asynctask.dispatch.generators import EventGenerator as EventGenerator
from asynctask.dispatch.handlers import ChainEventHandler as ChainEventHandler
from asynctask.dispatch.handlers import EventHandler as EventHandler
from asynctask.dispatch.handlers import ExecEventHandler as ExecEventHandler
from asynctask.dispatch.handlers import PrintEventHandler as PrintEventHandler
from asynctask.dispatch.handlers import ThreadEventHandler as ThreadEventHandler
from asynctask.dispatch.processor import EventProcessor as EventProcessor
from asynctask.dispatch.processor import ProcessorStatistics as ProcessorStatistics
from asynctask.dispatch.queue import EventQueue as EventQueue
from asynctask.dispatch.queue import QueueStatistics as QueueStatistics

__all__ = (
    "ChainEventHandler",
    "DispatcherStatistics",
    "ErrorEvent",
    "Event",
    "EventDispatcher",
    "EventGenerator",
    "EventHandler",
    "EventProcessor",
    "EventQueue",
    "ExecEventHandler",
    "PrintEventHandler",
    "ProcessorStatistics",
    "QueueStatistics",
    "ThreadEventHandler",
)
