"""Output line by line at the end, in the order of the nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from asynctask.cli.output.grouping import by_rc, ordered
from asynctask.cli.output.style import Pen, Style, labelled
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult

__all__ = ("ByNodeView",)

#: Lines that are made ready in one go.
_LINES = 4096


class ByNodeView(View):
    """Shows lines with their node in front: by exit code, then in the order of the nodes.

    Args:
        screen: where.
        style: how.
        errors: whether standard error is shown, too.
    """

    def __init__(self, screen: Screen, style: Style, *, errors: bool = True) -> None:
        self._screen = screen
        self._style = style
        self._streams = (STDOUT, STDERR) if errors else (STDOUT,)

    async def over(self, results: Sequence[NodeResult]) -> None:
        results = await ordered(results)
        await self._style.ready(self._screen, results)
        for fd in self._streams:
            pen = Pen(self._screen, fd, self._style)
            for _, alike in by_rc(results):
                for result in alike:
                    await self._show(pen, result, fd)
            await pen.flush()

    async def _show(self, pen: Pen, result: NodeResult, fd: int) -> None:
        message = result.out if fd == STDOUT else result.err
        if not message:
            return
        label = pen.label(self._style.titles.names([result.node]))
        lines = message.lines()
        for start in range(0, len(lines), _LINES):
            await pen.put(labelled(pen.safe_lines(lines[start : start + _LINES]), label))
