"""Records of a run for programs: an object for each node (``--json``), or for each event (``--events``)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asynctask.cli.output.clock import Clock, stamp
from asynctask.cli.output.records_text import EndedLines, dumped, output_objects, whole_text
from asynctask.cli.output.schema import VERSION, RunStart, plain_outcomes, plain_result
from asynctask.cli.terminal import STDOUT
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("EventsView", "JsonView", "RecordView")


class RecordView(View):
    """Base of both: a record also says how a run began, and how it ended.

    Args:
        screen: where it is written.
        clock: what time it is; that of a record while one is replayed.
    """

    def __init__(self, screen: Screen, clock: Clock | None = None) -> None:
        self._screen = screen
        self._clock = clock or Clock()
        self._ascii = screen.is_terminal(STDOUT)  # which nothing else in there can drive
        self._outcomes: dict[str, Any] = {}

    async def run_began(self, run: RunStart) -> None:
        """The run begins: before all else."""
        raise NotImplementedError

    async def run_ended(self, status: int) -> None:
        """The run has ended with this exit status: after all else."""
        raise NotImplementedError

    async def over(self, results: Sequence[NodeResult]) -> None:
        self._outcomes = plain_outcomes(results)

    async def _write(self, fields: dict[str, Any]) -> None:
        await self._screen.write(STDOUT, dumped(fields, ascii_only=self._ascii))


class JsonView(RecordView):
    """An object for each node when it is over, and one at the end for them all."""

    def __init__(self, screen: Screen, clock: Clock | None = None) -> None:
        super().__init__(screen, clock)
        self._run = RunStart(nodes=None)
        self._began = self._clock.now()

    async def run_began(self, run: RunStart) -> None:
        self._run = run
        self._began = self._clock.now()

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        fields = {"v": VERSION, "type": "node", **plain_result(result, attempt, self._clock)}
        head = dumped(fields, ascii_only=self._ascii).removesuffix(b"}\n")
        texts = [
            await whole_text(name, data, ascii_only=self._ascii)
            for name, data in (("stdout", result.stdout), ("stderr", result.stderr))
        ]
        await self._screen.write(STDOUT, b"".join([head, *(b"," + text.encode() for text in texts), b"}\n"]))

    async def run_ended(self, status: int) -> None:
        now = self._clock.now()
        fields = {
            "v": VERSION,
            "type": "summary",
            **self._run.plain(),
            **(self._outcomes or plain_outcomes(())),
            "status": status,
            "began": stamp(self._began),
            "ended": stamp(now),
            "duration": (now - self._began) / 1_000_000,
        }
        await self._write(fields)


class _Stream:
    """A node's output on one stream."""

    def __init__(self, node: str, name: str, *, ascii_only: bool) -> None:
        fields = dumped({"node": node, "stream": name}, ascii_only=ascii_only).decode()
        #: What stands in each of its objects between the time and the text.
        self.head = f'",{fields[1:-2]},'
        self.lines = EndedLines()


class EventsView(RecordView):
    """An object for each event."""

    def __init__(self, screen: Screen, clock: Clock | None = None) -> None:
        super().__init__(screen, clock)
        self._streams: dict[str, dict[str, _Stream]] = {}  # of the nodes that are at work
        self._attempts: dict[str, int] = {}  # which was the last to end
        self._began = self._clock.now()

    async def run_began(self, run: RunStart) -> None:
        self._began = self._clock.now()
        nodes = run.nodes or ()
        fields = {"v": VERSION, **run.plain(), "targets": len(nodes), "nodes": list(nodes)}
        await self._write({"type": "run_started", "time": stamp(self._began), **fields})

    async def ev_pickup(self, worker: Worker | None, node: str) -> None:
        await self._event("node_started", node=node, attempt=self._attempt(node))

    async def _ev_chunk(self, worker: Worker | None, node: str, sname: str, chunk: bytes) -> None:
        streams = self._streams.setdefault(node, {})
        stream = streams.get(sname)
        if stream is None:
            stream = streams[sname] = _Stream(node, sname, ascii_only=self._ascii)
        if lines := stream.lines.feed(chunk):
            await self._output(stream, lines)
        if piece := stream.lines.piece():
            await self._output(stream, piece, more=True)

    async def ev_hup(self, worker: Worker | None, node: str, rc: int) -> None:
        await self._after_output(node, "node_exited", {"node": node, "rc": rc})

    async def ev_end(self, worker: Worker | None, node: str, result: NodeResult) -> None:
        attempt = self._attempts[node] = self._attempt(node)
        await self._after_output(node, "attempt_ended", plain_result(result, attempt, self._clock))

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        self._attempts.pop(result.node, None)
        await self._event("node_ended", **plain_result(result, attempt, self._clock))

    async def run_ended(self, status: int) -> None:
        now = self._clock.now()
        duration = (now - self._began) / 1_000_000
        fields = {**(self._outcomes or plain_outcomes(())), "status": status, "duration": duration}
        await self._write({"type": "run_ended", "time": stamp(now), **fields})

    def _attempt(self, node: str) -> int:
        """Which attempt at a node goes on, or ends."""
        return self._attempts.get(node, 0) + 1

    async def _event(self, kind: str, **fields: object) -> None:
        await self._write({"type": kind, "time": stamp(self._clock.now()), **fields})

    async def _output(self, stream: _Stream, lines: bytes, *, more: bool = False) -> None:
        """Write whole lines, or a piece of one of which more follows."""
        going_on = False
        for objects in output_objects(lines, more=more, ascii_only=self._ascii):
            if going_on:
                await asyncio.sleep(0)
            going_on = True
            await self._screen.write(STDOUT, self._of_output(stream, stamp(self._clock.now()), objects))

    async def _after_output(self, node: str, kind: str, fields: dict[str, Any]) -> None:
        """Write an event, and before it what its node has printed without an end."""
        time = stamp(self._clock.now())
        parts = []
        for stream in self._streams.pop(node, {}).values():
            if rest := stream.lines.flush():
                (objects,) = output_objects(rest, ascii_only=self._ascii)
                parts.append(self._of_output(stream, time, objects))
        parts.append(dumped({"type": kind, "time": time, **fields}, ascii_only=self._ascii))
        await self._screen.write(STDOUT, b"".join(parts))

    def _of_output(self, stream: _Stream, time: str, objects: list[str]) -> bytes:
        head = f'{{"type":"output","time":"{time}{stream.head}'
        return (head + ("}\n" + head).join(objects) + "}\n").encode()
