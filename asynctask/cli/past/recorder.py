"""Records a run while it goes on, and never stands in its way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

from asynctask.cli.past.collecting import LIMIT, Collector, kept
from asynctask.cli.past.journal import PATIENCE, Journal, SlowDiskError
from asynctask.cli.past.keeper import Keeper
from asynctask.cli.past.records import Batch, End, NewRun, Output
from asynctask.cli.view import View
from asynctask.waiting import wait_out

if TYPE_CHECKING:
    from asynctask.cli.past.store import Store
    from asynctask.cli.request import Request
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("LiveRecorder", "Recorder")

#: Bytes of output that may wait to be written; what comes while so many wait is not kept.
_HIGH_WATER = 16 << 20
#: How long the end is waited for where the disk has failed before, in seconds.
_LAST_WAIT = 1.0


class Recorder(View):
    """Keeps a run in the history. What goes wrong with that is said once, and then it is left alone.

    Called in this order: :meth:`begin`; for each node :meth:`before_start`, if it comes to that, and
    :meth:`node_over`; :meth:`finish`.

    Args:
        request: what is run.
        say: shows a line to the user.
        limit: bytes that are kept of each stream of a node.
        path: of the database. Default: the user's.
        given_input: whether the commands are given something to read. It is not kept.
        resuming: the number of the run that is gone on with, taken over already. Default: it is a new one.
        retry_of: the number of the run whose nodes, some of them, are tried again.
    """

    def __init__(
        self,
        request: Request,
        say: Callable[[str], object],
        *,
        limit: int = LIMIT,
        path: Path | None = None,
        given_input: bool = False,
        resuming: int | None = None,
        retry_of: int | None = None,
    ) -> None:
        self.run: int | None = None
        """The number of the run; ``None`` if it is not recorded."""
        self._request = request
        self._say = say
        self._limit = limit
        self._path = path
        self._given_input = given_input
        self._resuming = resuming
        self._retry_of = retry_of
        self._keeper = Keeper()
        self._journal = Journal(self._write, self._failed)
        self._store: Store | None = None
        self._places: dict[str, int] = {}
        self._streams: dict[tuple[str, str], Collector] = {}
        self._wall = time.time() - time.monotonic()
        self._failure: BaseException | None = None
        self._begun: int | None = None  # what the thread has begun, whether or not anybody waited for it

    @staticmethod
    def open(request: Request, say: Callable[[str], object], *, gathered: bool, **more: Any) -> Recorder:
        """The recorder for a run, on the running loop; it touches nothing before :meth:`begin`. Never raises.

        Args:
            request: what is run.
            say: shows a line to the user.
            gathered: whether the results hold the output. Else the recorder hears it as it comes: it
                has to be a handler of the worker.
            **more: see the class.
        """
        return (Recorder if gathered else LiveRecorder)(request, say, **more)

    async def begin(self) -> int | None:
        """Write down the run and its nodes; its number, or ``None`` if it is not recorded. Never raises."""
        with anyio.move_on_after(PATIENCE) as bound:
            try:
                self.run, self._places = await self._keeper.call(self._open)
            except Exception as exc:
                self._journal.give_up(exc)
        if bound.cancelled_caught:
            self._journal.give_up(SlowDiskError())
        return self.run

    async def before_start(self, node: str) -> None:
        """A node's command is about to be started: returns when that is on record.

        So a command that is not on record as started was not. Nodes that come together share one write.
        """
        self._forget_output(node)
        place = self._places.get(node)
        if place is not None:
            await self._journal.start(time.time(), place)

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        """A node is over, with its last attempt. Does not wait for the disk."""
        place = self._places.get(result.node)
        if place is None:
            return
        out, err = self._output(result, "stdout"), self._output(result, "stderr")
        self._forget_output(result.node)
        if self._journal.waiting + len(out.data) + len(err.data) > _HIGH_WATER:
            out, err = Output(size=out.size), Output(size=err.size)
        self._journal.end(_end(result, attempt, place, self._wall, out, err))

    async def finish(self, status: int) -> None:
        """Write down what is not written yet, and that the run is over. Also when cancelled. Never raises."""
        over = asyncio.Event()
        ending = asyncio.get_running_loop().create_task(self._end(status))
        ending.add_done_callback(lambda _: over.set())
        await wait_out(over)

    async def _end(self, status: int) -> None:
        run = self.run
        with anyio.move_on_after(PATIENCE if self._failure is None else _LAST_WAIT) as bound:
            await self._journal.flush()
            if self._failure is None:
                try:
                    await self._keeper.call(lambda: self._finish(run, status))
                except Exception as exc:
                    self._journal.give_up(exc)
            await self._keeper.close(self._close)
        if bound.cancelled_caught:
            self._journal.give_up(SlowDiskError())

    def _output(self, result: NodeResult, stream: str) -> Output:
        """What is kept of a stream."""
        collector = self._streams.get((result.node, stream))
        if collector is not None:
            return collector.output()
        return kept(result.out if stream == "stdout" else result.err, self._limit)

    def _forget_output(self, node: str) -> None:
        """There is another attempt, or there was the last."""
        for stream in ("stdout", "stderr"):
            self._streams.pop((node, stream), None)

    def _write(self, batch: Batch) -> asyncio.Future[Any]:
        run = self.run
        return self._keeper.call(lambda: self._record(run, batch))

    def _failed(self, reason: BaseException) -> None:
        """Say so, once, and that the record is not to be relied on."""
        run, self.run = self.run, None
        self._failure = reason
        self._places = {}
        self._streams = {}
        what = "this run is not recorded" if run is None else "the rest of this run is not recorded"
        text = str(reason).removeprefix("history: ") or type(reason).__name__
        self._say(f"asynctask: history: {text}; {what}")
        self._keeper.do(self._lose)

    # -- in the thread --------------------------------------------------------------------------

    def _open(self) -> tuple[int, dict[str, int]]:
        from asynctask.cli.past.database import default_path
        from asynctask.cli.past.store import Store

        self._store = store = Store(self._path or default_path())
        self._begun = self._resuming
        if self._begun is not None:
            return self._begun, store.places(self._begun)
        run = _new_run(self._request, given_input=self._given_input, retry_of=self._retry_of)
        self._begun = store.begin(run)
        return self._begun, {node: place for place, node in enumerate(run.targets)}

    def _record(self, run: int | None, batch: Batch) -> None:
        if self._store is not None and run is not None:
            self._store.record(run, batch)

    def _lose(self) -> None:
        if self._store is not None and self._begun is not None:
            self._store.lose(self._begun)

    def _finish(self, run: int | None, status: int) -> None:
        if self._store is None or run is None:
            return
        from asynctask.cli.output.labels import fold
        from asynctask.cli.past.pruning import prune, prune_by_size

        self._store.finish(run, time.time(), status, fold(self._request.targets))
        prune(self._store.connection, self._store.path, keep=self._request.history_keep)
        prune_by_size(self._store.connection, self._store.path)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()


class LiveRecorder(Recorder):
    """A recorder of output that is not gathered: it holds what it keeps of those nodes that run."""

    async def _ev_chunk(self, worker: Worker | None, node: str, sname: str, chunk: bytes) -> None:
        if self.run is None:
            return
        collector = self._streams.get((node, sname))
        if collector is None:
            collector = self._streams[node, sname] = Collector(self._limit)
        collector.add(chunk)


def _new_run(request: Request, *, given_input: bool, retry_of: int | None) -> NewRun:
    """A request as it is kept: of variables the names alone, and no input."""
    from asynctask.cli.past.controller import Controller

    plain = request.plain()
    for name in ("targets", "env", "command"):
        plain.pop(name, None)
    return NewRun(
        command=request.command,
        plain=plain,
        variables=tuple(name for name, _ in request.env),
        input=given_input,
        cwd=str(Path.cwd()),
        targets=request.targets,
        controller=Controller.me(),
        began=time.time(),
        retry_of=retry_of,
    )


def _end(result: NodeResult, attempt: int, place: int, wall: float, out: Output, err: Output) -> End:
    """How a node ended.

    Args:
        result: of its last attempt.
        attempt: which that was, from 1.
        place: of the node.
        wall: what makes seconds since 1970 out of those of the monotonic clock.
        out: what is kept of its standard output.
        err: likewise of standard error.
    """
    times, error = result.times, result.error
    began, started, ended = (
        None if moment is None else moment + wall for moment in (times.began, times.started, times.ended)
    )
    return End(
        place=place,
        began=began,
        started=started,
        ended=ended,
        attempts=attempt,
        outcome=result.outcome.value,
        rc=result.rc,
        signal=result.signal,
        reason=None if error is None else error.reason,
        hint=None if error is None else error.hint,
        out=out,
        err=err,
    )
