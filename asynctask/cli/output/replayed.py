"""A recorded run, told to views as a run tells it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from asynctask.cli.output.clock import RecordClock
from asynctask.cli.output.records import JsonView, RecordView
from asynctask.cli.output.records_read import (
    AttemptEnded,
    Item,
    NodeExited,
    NodeOver,
    NodeStarted,
    Output,
    RunBegan,
    RunOver,
)
from asynctask.cli.output.schema import RunStart
from asynctask.cli.view import View
from asynctask.errors import NodeError
from asynctask.events import Hook, Hooks, call
from asynctask.lines import LineSplitter
from asynctask.messages import EMPTY, Cursor, Message, MsgTree
from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("MakeViews", "ReplayedRun")

MakeViews = Callable[[RunStart], Sequence[View]]
_STREAMS = ("stdout", "stderr")
#: The outcomes of commands that exited by themselves.
_EXITED = {Outcome.OK, Outcome.FAILED, Outcome.SIGNALLED}


class _Node:
    """An attempt at a node that goes on."""

    __slots__ = ("cursors", "splitters")

    def __init__(self) -> None:
        self.cursors: dict[str, Cursor] = {}
        self.splitters: dict[str, LineSplitter] = {}


class ReplayedRun:
    """One run of a record.

    Args:
        clock: set to the time of each item.
        make_views: makes what hears it, once it is known what was run.
        keep: whether output is kept for the results.
        merge: whether standard error is told as standard output.
        whole: whether a record that names the run at its end, as that of ``--json``, is told only then.

    Attributes:
        results: of all targets, once the run is over.
        attempts: which was the last at each node.
        status: the exit status that the run had; ``None`` if the record has no end.
        headless: whether it has no beginning.
    """

    def __init__(
        self,
        clock: RecordClock,
        make_views: MakeViews,
        *,
        keep: bool = True,
        merge: bool = False,
        whole: bool = False,
    ) -> None:
        self._clock = clock
        self._make_views = make_views
        self._merge = merge
        self._aside: list[NodeOver] | None = [] if whole else None
        self._trees = {stream: MsgTree() for stream in _STREAMS} if keep else {}
        self._run: RunStart | None = None
        self._views: list[tuple[View, Hooks]] = []
        self._going: dict[str, _Node] = {}
        self._attempts: dict[str, int] = {}
        self._ended: dict[str, NodeResult] = {}  # the last attempt of each node
        self._over: dict[str, NodeResult] = {}
        self.results: list[NodeResult] = []
        self.attempts: dict[str, int] = {}
        self.status: int | None = None
        self.headless = False

    @property
    def begun(self) -> bool:
        """Whether anything was told."""
        return self._run is not None or bool(self._aside)

    async def take(self, item: Item) -> None:
        """Tell the next item."""
        self.headless |= self._run is None and _comes_later(item)
        match item:
            case Output():
                await self._at(item.time)
                await self._output(item.node, item.stream, item.data)
            case RunBegan():
                self._clock.time = item.time
                await self._begin(item.run)
            case NodeStarted():
                await self._at(item.time)
                await self._pickup(item.node)
            case NodeExited():
                await self._at(item.time)
                await self._exited(item.node, item.rc)
            case AttemptEnded():
                await self._at(item.time)
                await self._end(item.result)
            case NodeOver() if item.output is not None and self._aside is not None:
                self._aside.append(item)
            case NodeOver():
                await self._at(item.time)
                await self._node_over(item)
            case RunOver():
                await self._run_over(item)

    async def finish(self) -> None:
        """The record is at its end, whether the run is or not."""
        await self._tell_aside(RunStart(nodes=None))
        await self._begin_unless_begun()
        for node in dict.fromkeys([*((self._run and self._run.nodes) or ()), *self._going, *self._ended]):
            if node not in self._over:
                result = self._ended.get(node) or self._without_end(node)
                if node not in self._ended:
                    await self._end(result)
                    result = self._ended[node]
                await self._tell_over(result, self._attempts[node])
        timed_out = any(result.outcome is Outcome.TIMED_OUT for result in self._over.values())
        await self._call("close", timed_out)
        names = (self._run and self._run.nodes) or ()
        self.results = [self._over[node] for node in dict.fromkeys([*names, *self._over])]
        for view, _ in self._views:
            await view.over(self.results)
        if self.status is not None:
            for view, _ in self._views:
                if isinstance(view, RecordView):
                    await view.run_ended(self.status)

    # -- what the record tells ------------------------------------------------------------------

    async def _at(self, time: int) -> None:
        self._clock.time = max(time, self._clock.time)
        await self._begin_unless_begun()

    async def _begin_unless_begun(self) -> None:
        if self._run is None:
            await self._begin(RunStart(nodes=None))

    async def _begin(self, run: RunStart) -> None:
        self._run = run
        self._views = [(view, Hooks(view)) for view in self._make_views(run)]
        for view, _ in self._views:
            if isinstance(view, RecordView):
                await view.run_began(run)

    async def _pickup(self, node: str) -> None:
        first = not self._going and not self._ended
        self._going[node] = _Node()
        if first:
            await self._call("start")
        await self._call("pickup", node)

    async def _output(self, node: str, stream: str, data: bytes) -> None:
        if self._merge and stream == "stderr":
            stream = "stdout"
        going = self._going.setdefault(node, _Node())
        if stream in self._trees:
            tree = self._trees[stream]
            cursor = going.cursors.get(stream)
            if cursor is None:
                cursor = going.cursors[stream] = tree.cursor()
            tree.add(cursor, data)
        await self._call("chunk", node, stream, data)
        if any(hooks.wants_lines for _, hooks in self._views):
            splitter = going.splitters.setdefault(stream, LineSplitter())
            await self._lines(node, stream, splitter.feed(data))

    async def _lines(self, node: str, stream: str, lines: list[bytes]) -> None:
        if not lines:
            return
        for _, hooks in self._views:
            if hooks.lines is not None:
                await call(hooks.lines, None, node, stream, lines)
            elif hooks.read is not None:
                for line in lines:
                    await call(hooks.read, None, node, stream, line)

    async def _rest(self, node: str) -> None:
        """What a node has printed without the end of a line."""
        if node in self._going:
            for stream, splitter in self._going[node].splitters.items():
                await self._lines(node, stream, splitter.flush())

    async def _exited(self, node: str, rc: int) -> None:
        await self._rest(node)
        await self._call("hup", node, rc)

    async def _end(self, result: NodeResult) -> None:
        node = result.node
        await self._rest(node)
        going = self._going.pop(node, None) or _Node()
        result = replace(result, out=self._message(going, "stdout"), err=self._message(going, "stderr"))
        self._attempts[node] = self._attempts.get(node, 0) + 1
        self._ended[node] = result
        await self._call("end", node, result)

    def _message(self, going: _Node, stream: str) -> Message:
        cursor = going.cursors.get(stream)
        return EMPTY if cursor is None else self._trees[stream].message(cursor)

    async def _node_over(self, item: NodeOver) -> None:
        node = item.result.node
        if item.output is not None:
            await self._all_of(item.result, item.output)
        ended = self._ended.get(node)
        out, err = (EMPTY, EMPTY) if ended is None else (ended.out, ended.err)
        await self._tell_over(replace(item.result, out=out, err=err), item.attempt)

    async def _all_of(self, result: NodeResult, output: tuple[bytes, bytes]) -> None:
        """Tell all of a node of whose run the record has nothing but the end."""
        if result.times.started is not None:
            await self._pickup(result.node)
        for stream, data in zip(_STREAMS, output, strict=True):
            if data:
                await self._output(result.node, stream, data)
        if result.rc is not None and result.outcome in _EXITED:
            await self._exited(result.node, result.rc)
        await self._end(result)

    async def _tell_over(self, result: NodeResult, attempt: int) -> None:
        self._over[result.node] = result
        self.attempts[result.node] = attempt
        for view, _ in self._views:
            await view.node_over(result, attempt)

    async def _run_over(self, item: RunOver) -> None:
        if item.run is not None:
            self._clock.time = item.began or item.time
            await self._tell_aside(item.run)
            if self._run is None:
                await self._begin(item.run)
            for view, _ in self._views:
                if isinstance(view, JsonView):  # which says it at the end, too
                    await view.run_began(item.run)
        self._clock.time = item.time
        self.status = item.status
        await self.finish()

    async def _tell_aside(self, run: RunStart) -> None:
        items, self._aside = self._aside, None
        if items:
            await self._begin(replace(run, nodes=tuple(item.result.node for item in items)))
            for item in items:
                await self.take(item)

    def _without_end(self, node: str) -> NodeResult:
        outcome = Outcome.ABORTED if node in self._going else Outcome.NEVER_STARTED
        error = NodeError(node, f"{outcome}, or it ended later: the record does not tell")
        return NodeResult(node, outcome, None, None, error, Times(queued=self._clock.time / 1_000_000))

    async def _call(self, event: str, *args: object) -> None:
        for _, hooks in self._views:
            hook: Hook | None = getattr(hooks, event)
            if hook is not None:
                await call(hook, None, *args)


def _comes_later(item: Item) -> bool:
    """Whether something comes before it in every whole record."""
    match item:
        case RunBegan():
            return False
        case NodeOver():
            return item.output is None
        case RunOver():
            return item.run is None
    return True
