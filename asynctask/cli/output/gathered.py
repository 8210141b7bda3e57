"""The same output once, at the end, under the nodes that printed it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynctask.cli.output.grouping import gathered, ordered
from asynctask.cli.output.style import Pen, Style
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.messages import Message
    from asynctask.outcome import NodeResult

__all__ = ("GatheredView", "show_gathered")


class GatheredView(View):
    """Shows each distinct output once: by exit code, then the most nodes first, then by first node.

    Nodes that gave no exit code come last.

    Args:
        screen: where.
        style: how.
        outliers: ``"first"`` or ``"last"``: where outputs of the fewest nodes stand, whatever the exit code.
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
        await show_gathered(self._screen, self._style, results, outliers=self._outliers)
        if self._errors:
            await show_gathered(self._screen, self._style, results, STDERR, outliers=self._outliers)


async def show_gathered(
    screen: Screen,
    style: Style,
    results: Sequence[NodeResult],
    fd: int = STDOUT,
    *,
    outliers: str = "",
) -> None:
    """Show one stream, gathered; the results are in the order of their nodes."""
    pen = Pen(screen, fd, style)
    on_terminal = screen.is_terminal(fd)
    stream = "out" if fd == STDOUT else "err"
    for title, message in await asyncio.to_thread(_titled, style, results, stream, outliers):
        text = bytes(message)
        if on_terminal:
            text = pen.safe(text.replace(b"\r\n", b"\n"))
        await pen.put(pen.header(title), text, b"\n")
    await pen.flush()


def _titled(
    style: Style, results: Sequence[NodeResult], stream: str, outliers: str
) -> list[tuple[str, Message]]:
    """Each output with its title."""
    return [(style.titles.of(alike.nodes), alike.message) for alike in gathered(results, stream, outliers)]
