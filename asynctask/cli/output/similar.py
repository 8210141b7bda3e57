"""Output that differs only in the node's own name, numbers or times, shown once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asynctask.cli.output.grouping import Alike, gathered, order_of, ordered
from asynctask.cli.output.shapes import Shape, own_names, pieces, shape_of
from asynctask.cli.output.style import Pen, Style
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.messages import Message
    from asynctask.outcome import NodeResult

__all__ = ("Similar", "SimilarView", "similar")


class SimilarView(View):
    """Shows output that is similar once, as one of the nodes printed it, with the places that differ marked.

    Args:
        screen: where.
        style: how.
        outliers: ``"first"`` or ``"last"``, as for gathered output.
        errors: whether standard error is shown, too.
    """

    def __init__(self, screen: Screen, style: Style, *, outliers: str = "", errors: bool = True) -> None:
        self._screen = screen
        self._style = style
        self._outliers = outliers
        self._errors = errors

    async def over(self, results: Sequence[NodeResult]) -> None:
        results = await ordered(results)
        await self._style.ready(self._screen, results)
        await self._show(results, STDOUT)
        if self._errors:
            await self._show(results, STDERR)

    async def _show(self, results: Sequence[NodeResult], fd: int) -> None:
        pen = Pen(self._screen, fd, self._style)
        # In a thread: all that the nodes have printed is looked at.
        for title, parts in await asyncio.to_thread(self._titled, results, "out" if fd == STDOUT else "err"):
            shown = [pen.palette.mark(text) if is_mark else pen.safe(text) for text, is_mark in parts]
            await pen.put(pen.header(title), *shown, b"\n")
        await pen.flush()

    def _titled(
        self, results: Sequence[NodeResult], stream: str
    ) -> list[tuple[str, list[tuple[bytes, bool]]]]:
        groups = similar(results, stream, self._outliers)
        return [(self._style.titles.of(group.nodes), list(group.pieces())) for group in groups]


class Similar:
    """Nodes whose output is similar.

    Attributes:
        rc: their exit code.
        nodes: in order.
        first: those whose text is shown.
    """

    def __init__(self, alike: Alike, shape: Shape, names: Sequence[bytes]) -> None:
        self.rc = alike.rc
        self.nodes = list(alike.nodes)
        self.first = alike
        self._names = names
        self._values = shape.values
        self._differs = [False] * len(shape.values)
        self._several = False

    def add(self, nodes: Iterable[str], shape: Shape) -> None:
        """Nodes with another text of the same shape."""
        self.nodes += nodes
        self._several = True
        pairs = zip(self._differs, self._values, shape.values, strict=True)
        self._differs = [differs or mine != theirs for differs, mine, theirs in pairs]

    def pieces(self) -> Iterable[tuple[bytes, bool]]:
        """What to show, in pieces, and of each whether it is a mark."""
        text = _text(self.first.message)
        return pieces(text, self._names, self._differs) if self._several else [(text, False)]


def similar(results: Iterable[NodeResult], stream: str = "out", outliers: str = "") -> list[Similar]:
    """Output of each exit code that differs only in the node's own name, numbers or times, once.

    Takes time in proportion to the size of the distinct outputs.

    Args:
        results: in the order of their nodes.
        stream: ``"out"`` or ``"err"``.
        outliers: the order, as for :func:`~asynctask.cli.output.grouping.gathered`.
    """
    results = list(results)
    plain: dict[tuple[int, bytes], Similar] = {}
    named: dict[tuple[int, bytes], Similar] = {}
    for alike in gathered(results, stream):
        # What several nodes print in the same way names none of them as its own.
        names = own_names(alike.nodes[0]) if len(alike.nodes) == 1 else ()
        shape = shape_of(_text(alike.message), names)
        _add(named if shape.named else plain, alike, shape, names if shape.named else ())
    for key, group in list(named.items()):
        if len(group.nodes) == 1:  # its name is, it seems, a word that others print as well
            del named[key]
            _add(plain, group.first, shape_of(_text(group.first.message)), ())
    groups = [*plain.values(), *named.values()]
    places = {result.node: place for place, result in enumerate(results)}
    for group in groups:
        group.nodes.sort(key=places.__getitem__)
    groups.sort(key=lambda group: places[group.nodes[0]])
    return sorted(groups, key=order_of(outliers))


def _add(
    groups: dict[tuple[int, bytes], Similar], alike: Alike, shape: Shape, names: Sequence[bytes]
) -> None:
    group = groups.get((alike.rc, shape.key))
    if group is None:
        groups[alike.rc, shape.key] = Similar(alike, shape, names)
    else:
        group.add(alike.nodes, shape)


def _text(message: Message) -> bytes:
    """What is compared and shown: the lines, whatever their ends."""
    return bytes(message).replace(b"\r\n", b"\n")
