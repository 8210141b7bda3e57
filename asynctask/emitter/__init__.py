"""Events within a program: publish under dotted topics, hear of patterns of them.

:class:`EventEmitter` is in ``emitting``; behind it ``delivery`` has one queue, from which events go to the
targets of its route (``registry``, ``topics``): listeners (``subscriptions``; async ones by ``serial``) and
``streams``. ``boxes`` hold what waits for one of them; ``admission`` serves those who wait to publish.
"""

from __future__ import annotations

from asynctask.emitter.boxes import EmittedEvent, Overflow, StreamOverflow
from asynctask.emitter.emitting import EmitterStatistics, EventEmitter
from asynctask.emitter.streams import EventStream
from asynctask.emitter.subscriptions import Subscription

__all__ = (
    "EmittedEvent",
    "EmitterStatistics",
    "EventEmitter",
    "EventStream",
    "Overflow",
    "StreamOverflow",
    "Subscription",
)
