"""Delivers the events of one target to its handler: one at a time, in order.

The worker's side only appends and never waits. When more than ``HIGH_WATER`` bytes wait for the
handler, the pump pauses the target's source, and resumes it at ``LOW_WATER``; so a slow
handler slows its own target and nobody else, and memory stays bounded.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from inspect import isawaitable
from typing import Literal, NamedTuple

from asynctask.calling import Caller, Gate
from asynctask.events import Hook, Hooks, Progress
from asynctask.lines import LineSplitter
from asynctask.outcome import NodeResult
from asynctask.workers.base import Source, Worker

__all__ = ("HIGH_WATER", "LOW_WATER", "Listener", "Pump", "Written")

#: Bytes of output that may wait for a handler before its target is paused.
HIGH_WATER = 256 * 1024
#: Bytes at which a paused target is resumed.
LOW_WATER = 64 * 1024

#: Plain handlers are called for about this long, in seconds, in one turn of the loop.
_SLICE = 0.01
#: How many lines are handed over between two looks at the clock.
_CLOCK_EVERY = 8
#: Fewer lines, if they took longer than this, in seconds.
_SLOW = 0.0002


class Listener(Caller):
    """A worker's handler in one run: its hooks, and what its targets share."""

    def __init__(
        self, worker: Worker, hooks: Hooks, gate: Gate, give_up: Callable[[BaseException], None]
    ) -> None:
        super().__init__(gate, give_up)
        self.worker = worker
        self.hooks = hooks
        self.paused = 0
        self._started: asyncio.Event | None = None

    async def start(self) -> None:
        """Deliver ``ev_start`` once; who comes while it is awaited waits for it too."""
        if self.hooks.start is None:
            return
        if self._started is not None:
            await self._started.wait()
            return
        self._started = asyncio.Event()
        try:
            await self.call("ev_start", "", self.hooks.start, self.worker)
        finally:
            self._started.set()


class Written(NamedTuple):
    """Input that a node took, or did not take."""

    stream: str
    size: int
    taken: bool


#: Output, or input that was taken or not; ``None``: the command has started.
_Item = tuple[str, bytes] | Written | Literal["progress"] | None


class Pump:
    """The queue of one target's events and the coroutine that works it off.

    Args:
        listener: whom to deliver to.
        nodes: the target's nodes; with several, each event is delivered for each.
        output_done: called when all output is delivered, before ``ev_hup`` and ``ev_end``.
    """

    __slots__ = (
        "_mute",
        "_nodes",
        "_output_done",
        "_pending",
        "_progress",
        "_queue",
        "_results",
        "_source",
        "_source_paused",
        "_splitters",
        "_told",
        "_until",
        "_waiter",
        "entered",
        "listener",
    )

    def __init__(self, listener: Listener, nodes: tuple[str, ...], output_done: Callable[[], None]) -> None:
        self.listener = listener
        self.entered = False  # whether its coroutine has had its first step
        self._nodes = nodes
        self._output_done: Callable[[], None] | None = output_done  # until it is called
        self._queue: deque[_Item] = deque()
        self._pending = 0  # bytes in the queue
        self._progress: Progress | None = None  # the latest of a copy, while the queue has a place for it
        self._mute = False  # a hook has raised for this target: no more events but ev_end
        self._told = 0  # how many of its nodes have heard ev_end
        self._results: Sequence[NodeResult] | None = None
        self._splitters: dict[str, LineSplitter] = {}
        self._source: Source | None = None
        self._source_paused = False
        self._waiter: asyncio.Future[None] | None = None  # of its coroutine, for something new
        self._until = 0.0  # when others must have a turn

    # -- the worker's side ------------------------------------------------------------------

    def started(self, source: Source | None) -> None:
        """The command runs; its output can be paused through ``source``."""
        self._source = source
        self._queue.append(None)
        self._wake()

    def data(self, stream: str, chunk: bytes) -> None:
        """Output that somebody wants as lines."""
        if self._mute or self._output_done is None or not self.listener.hooks.wants_output:
            return
        self._queue.append((stream, chunk))
        self._pending += len(chunk)
        self._wake()
        if self._pending > HIGH_WATER and not self._source_paused and self._source is not None:
            self._source_paused = True
            self.listener.paused += 1
            self._source.pause_reading()

    def written(self, written: Written) -> None:
        """Input was taken, or was not."""
        hooks = self.listener.hooks
        if (
            not self._mute
            and self._output_done is not None
            and (hooks.written if written.taken else hooks.unwritten)
        ):
            self._queue.append(written)
            self._wake()

    def progress(self, progress: Progress) -> None:
        """A copy goes on. Only the latest waits, where the first that nobody has heard of stood."""
        if self._mute or self._output_done is None or self.listener.hooks.progress is None:
            return
        if self._progress is None:
            self._queue.append("progress")
            self._wake()
        self._progress = progress

    def end(self, results: Sequence[NodeResult]) -> None:
        """The target is over, one result for each of its nodes."""
        self._source = None
        self._results = results
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # -- the handler's side -----------------------------------------------------------------

    async def run(self) -> None:
        """Deliver all but ``ev_end``, until the target is over."""
        while self._results is None or self._queue:
            if self._queue:
                await self._work_off()
            await self._more()
        if self.listener.gate.closed:
            await self.listener.gate.passed()
        for stream, splitter in self._splitters.items():
            await self._lines(stream, splitter.flush())
        self._all_read()
        hup = self.listener.hooks.hup
        if hup is not None:
            for result in self._results:
                if result.rc is not None:
                    await self._call("ev_hup", result.node, hup, self._worker, result.node, result.rc)

    async def _work_off(self) -> None:
        """Deliver what is there."""
        gate = self.listener.gate
        gate.busy += 1
        # Short at first: how many more will start in this turn is not known yet.
        self._until = asyncio.get_running_loop().time() + self._slice() / 4
        try:
            while self._queue:
                if gate.closed:
                    await gate.passed()
                await self._deliver(self._queue.popleft())
        finally:
            gate.busy -= 1

    def _slice(self) -> float:
        """For how many seconds a plain handler may be called before others have a turn."""
        return _SLICE / max(1, self.listener.gate.busy)

    async def over(self) -> None:
        """Wait until the target is over, also when cancelled, dropping what :meth:`run`, cut short, left."""
        self._all_read()
        while self._results is None:
            with suppress(asyncio.CancelledError):
                await self._more()

    async def finish(self) -> None:
        """Deliver ``ev_end``, which comes whatever happened before: once for each node, also if cut short."""
        assert self._results is not None
        end = self.listener.hooks.end
        cut: asyncio.CancelledError | None = None
        while end is not None and self._told < len(self._results):
            result = self._results[self._told]
            self._told += 1
            try:
                await self.listener.call("ev_end", result.node, end, self._worker, result.node, result)
            except asyncio.CancelledError as exc:
                cut = exc
        if cut is not None:
            raise cut

    async def _more(self) -> None:
        """Wait for the worker's side to have something new."""
        if self._results is None:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _all_read(self) -> None:
        """No output waits any more, and none is wanted: say so, once."""
        output_done, self._output_done = self._output_done, None
        if output_done is not None:
            self._drop()
            output_done()

    def _drop(self) -> None:
        self._queue.clear()
        if self._source_paused:
            self._source_paused = False
            if self._source is not None:
                self._source.resume_reading()

    @property
    def _worker(self) -> Worker:
        return self.listener.worker

    async def _deliver(self, item: _Item) -> None:
        if item is None:
            await self.listener.start()
            pickup = self.listener.hooks.pickup
            if pickup is not None:
                for node in self._nodes:
                    await self._call("ev_pickup", node, pickup, self._worker, node)
            return
        if isinstance(item, Written):
            await self._tell_written(item)
            return
        if item == "progress":
            await self._tell_progress()
            return
        stream, chunk = item
        await self._chunk(stream, chunk)
        self._pending -= len(chunk)
        if self._source_paused and self._pending <= LOW_WATER:
            self._source_paused = False
            if self._source is not None:
                self._source.resume_reading()

    async def _tell_written(self, written: Written) -> None:
        hooks = self.listener.hooks
        event, hook = ("ev_written", hooks.written) if written.taken else ("ev_unwritten", hooks.unwritten)
        if hook is not None:
            for node in self._nodes:
                await self._call(event, node, hook, self._worker, node, written.stream, written.size)

    async def _tell_progress(self) -> None:
        progress, self._progress = self._progress, None
        hook = self.listener.hooks.progress
        if hook is not None and progress is not None:
            for node in self._nodes:
                await self._call("ev_progress", node, hook, self._worker, node, progress)

    async def _chunk(self, stream: str, chunk: bytes) -> None:
        hooks = self.listener.hooks
        if hooks.chunk is not None:
            for node in self._nodes:
                await self._call("ev_read", node, hooks.chunk, self._worker, node, stream, chunk)
        if hooks.wants_lines:
            splitter = self._splitters.get(stream)
            if splitter is None:
                splitter = self._splitters[stream] = LineSplitter()
            await self._lines(stream, splitter.feed(chunk))

    async def _lines(self, stream: str, lines: list[bytes]) -> None:
        if not lines or self._mute:
            return
        hooks = self.listener.hooks
        for node in self._nodes:
            if hooks.lines is not None:
                await self._call("ev_read", node, hooks.lines, self._worker, node, stream, lines)
            elif hooks.read is not None:
                await self._call("ev_read", node, self._read, node, stream, lines)

    async def _read(self, node: str, stream: str, lines: list[bytes]) -> None:
        """Hand over lines; the loop gets its turn after the pump's share of ``_SLICE`` seconds."""
        read = self.listener.hooks.read
        assert read is not None
        worker = self._worker
        clock = asyncio.get_running_loop().time
        begun, start, count = clock(), 0, 1
        while start < len(lines):
            for line in lines[start : start + count]:
                outcome = read(worker, node, stream, line)
                if outcome is not None and isawaitable(outcome):
                    await outcome
            start += count
            now = clock()
            count = 1 if now - begun > _SLOW else _CLOCK_EVERY
            begun = now
            if now >= self._until:
                await asyncio.sleep(0)
                begun = clock()
                self._until = begun + self._slice()

    async def _call(self, event: str, node: str, hook: Hook, *args: object) -> None:
        """Call a hook, unless one has raised for this target before."""
        if not self._mute and not await self.listener.call(event, node, hook, *args):
            self._mute = True
            self._drop()
