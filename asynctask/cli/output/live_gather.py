"""Lines gathered while they come: each is shown as soon as every node that still runs has printed it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynctask.cli.output.grouping import names_in_order
from asynctask.cli.output.live import LiveView
from asynctask.cli.output.style import Pen, Style
from asynctask.cli.terminal import STDOUT
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("LiveGatherView",)

#: Bytes of lines that wait for nodes that have not come as far. With more, the first are shown without them.
_HIGH_WATER = 64 << 20
#: What a line costs besides its bytes.
_OVERHEAD = 120
#: Labels that are kept: the same nodes print the same again.
_LABELS = 1024
#: So many names are folded quickly.
_FEW = 200

#: What nodes have printed as their n-th line: each text with its nodes, as bits at their places.
_Row = dict[bytes, int]


class LiveGatherView(View):
    """Shows the n-th lines of all nodes together: a node that ends is not waited for any more.

    Nodes whose turn has not come are. Lines of further attempts at a node follow those of the ones before.

    Args:
        screen: where.
        style: how.
        nodes: all targets.
        high_water: how many bytes may wait.
    """

    def __init__(
        self, screen: Screen, style: Style, nodes: Sequence[str], *, high_water: int = _HIGH_WATER
    ) -> None:
        self._screen = screen
        self._style = style
        self._pen = Pen(screen, STDOUT, style)
        self._errors = LiveView(screen, style)
        self._labels: dict[int, bytes] = {}
        self._names: list[str] = []
        self._places: dict[str, int] = {}
        self._lines: list[int] = []  # how many each node has printed
        self._running: set[str] = set()
        self._at: Counter[int] = Counter()  # how many running nodes have printed so many lines
        self._rows: deque[_Row] = deque()
        self._first = 0  # which line of a node the first row is
        self._behind = 0  # running nodes without the first row's line
        self._waiting = 0
        self._showing = asyncio.Lock()  # one row after the other
        self._high_water = high_water
        for node in names_in_order(nodes):
            self._place(node)

    async def _ev_lines(self, worker: Worker | None, node: str, sname: str, lines: list[bytes]) -> None:
        if sname == "stderr":
            await self._errors._ev_lines(worker, node, sname, lines)
            return
        await self._style.ready_for(self._screen, self._names)
        place = self._place(node)
        late = self._take(place, lines)
        async with self._showing:
            for line in late:
                await self._show({line: 1 << place})
            await self._show_complete()

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        """Nobody waits for its lines any more."""
        if result.node not in self._running:
            return
        self._running.discard(result.node)
        count = self._lines[self._places[result.node]]
        self._move(count, None)
        if count <= self._first:
            self._behind -= 1
        async with self._showing:
            await self._show_complete()

    async def over(self, results: Sequence[NodeResult]) -> None:
        async with self._showing:
            while self._rows:
                await self._show(self._pop())
            await self._pen.flush()

    def _place(self, node: str) -> int:
        place = self._places.get(node)
        if place is None:
            place = self._places[node] = len(self._names)
            self._names.append(node)
            self._lines.append(0)
            self._running.add(node)
            self._at[0] += 1
            self._behind += 1
        return place

    def _take(self, place: int, lines: list[bytes]) -> list[bytes]:
        """Put lines into their rows; those whose row has been shown already are given back."""
        before = self._lines[place]
        late = lines[: max(0, self._first - before)]
        bit = 1 << place
        at = before + len(late) - self._first
        for line in lines[len(late) :]:
            if at == len(self._rows):
                self._rows.append({})
            row = self._rows[at]
            known = row.get(line, 0)
            if not known:
                self._waiting += self._cost(line)
            row[line] = known | bit
            at += 1
        count = self._lines[place] = before + len(lines)
        if self._names[place] in self._running:
            self._move(before, count)
            if before <= self._first < count:
                self._behind -= 1
        return late

    def _move(self, before: int, count: int | None) -> None:
        """A running node has printed more lines, or has ended."""
        self._at[before] -= 1
        if not self._at[before]:
            del self._at[before]
        if count is not None:
            self._at[count] += 1

    def _cost(self, line: bytes) -> int:
        return len(line) + _OVERHEAD + len(self._names) // 8

    def _pop(self) -> _Row:
        row = self._rows.popleft()
        self._waiting -= sum(map(self._cost, row))
        self._first += 1
        # Who was behind is so still, and so are those who have printed just what has been shown.
        self._behind += self._at[self._first]
        return row

    async def _show_complete(self) -> None:
        """Show the rows that wait for no node, and, if too much waits, the first ones."""
        while self._rows and (not self._behind or self._waiting > self._high_water):
            await self._show(self._pop())
        await self._pen.flush()

    async def _show(self, row: _Row) -> None:
        """Each text once: the most nodes first, then by first node."""
        # The lowest bit is that of the first node.
        for line, bits in sorted(
            row.items(), key=lambda entry: (-entry[1].bit_count(), entry[1] & -entry[1])
        ):
            await self._pen.put(await self._label(bits), self._pen.safe(line), b"\n")

    async def _label(self, bits: int) -> bytes:
        label = self._labels.get(bits)
        if label is None:
            if len(self._labels) >= _LABELS:
                self._labels.clear()
            names = [
                name for name, bit in zip(self._names, reversed(f"{bits:b}"), strict=False) if bit == "1"
            ]
            of = self._style.titles.names
            title = of(names) if len(names) <= _FEW else await asyncio.to_thread(of, names)
            label = self._labels[bits] = self._pen.label(title)
        return label
