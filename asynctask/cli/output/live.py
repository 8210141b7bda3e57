"""Output as it comes, each line with its node in front."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynctask.cli.output.style import Pen, Style, labelled
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.cli.view import View
from asynctask.lines import PartialLine

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.workers.base import Worker

__all__ = ("LiveView",)


class LiveView(View):
    """Shows lines as they come: one write for all that came together.

    Args:
        screen: where.
        style: how.
    """

    def __init__(self, screen: Screen, style: Style) -> None:
        self._screen = screen
        self._pens = {fd: Pen(screen, fd, style) for fd in (STDOUT, STDERR)}
        self._labels: dict[tuple[int, str], bytes] = {}
        self._unfinished: dict[int, tuple[str, str]] = {}  # whose line each stream is in the middle of

    async def _ev_lines(self, worker: Worker | None, node: str, sname: str, lines: list[bytes]) -> None:
        fd = STDERR if sname == "stderr" else STDOUT
        label = self._labels.get((fd, node))
        if label is None:
            label = self._labels[fd, node] = self._pens[fd].label(node)
        if fd in self._unfinished or PartialLine in map(type, lines):
            text = self._with_pieces(fd, (node, sname), lines, label)
        else:
            text = labelled(self._pens[fd].safe_lines(lines), label)
        await self._screen.write(fd, text)

    def _with_pieces(self, fd: int, whose: tuple[str, str], lines: list[bytes], label: bytes) -> bytes:
        """Lines too long to come in one piece are whole again, unless another node's come between."""
        unfinished = self._unfinished.pop(fd, None)
        parts = [] if unfinished in (None, whose) else [b"\n"]
        inside = unfinished == whose
        for line, text in zip(lines, self._pens[fd].safe_lines(lines), strict=True):
            parts += [b"" if inside else label, text]
            inside = type(line) is PartialLine
            parts.append(b"" if inside else b"\n")
        if inside:
            self._unfinished[fd] = whose
        return b"".join(parts)
