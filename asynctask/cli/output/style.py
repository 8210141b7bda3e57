"""What all displays have in common: labels, colours, and how they write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from asynctask.cli.output.colors import PLAIN, Palette, wanted
from asynctask.cli.output.labels import Titles
from asynctask.cli.terminal import STDERR, STDOUT, encoded, visible

if TYPE_CHECKING:
    from asynctask.cli.request import Request
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult

__all__ = ("Pen", "Style", "labelled")

_RULE = b"---------------"
#: Bytes that are written in one piece.
_BATCH = 1 << 16


@dataclass(frozen=True, slots=True)
class Style:
    """How output is shown."""

    label: bool = True
    """Whether it says who printed something."""
    titles: Titles = field(default_factory=Titles)
    """How sets of nodes are written."""
    palettes: tuple[Palette, Palette] = (PLAIN, PLAIN)
    """The colours of standard output and standard error."""

    @classmethod
    def of(cls, request: Request, screen: Screen) -> Self:
        """As the user wants it."""
        titles = Titles(
            regroup=request.regroup,
            source=request.groupsource,
            groupbase=request.groupbase,
            count=request.node_count and not request.quiet,
        )
        out, err = (Palette(wanted(request.color, screen.is_terminal(fd))) for fd in (STDOUT, STDERR))
        return cls(label=not request.no_label, titles=titles, palettes=(out, err))

    async def ready(self, screen: Screen, results: Iterable[NodeResult]) -> None:
        """Look up the groups of these nodes, if groups are shown; say why that did not work."""
        await self.ready_for(screen, (result.node for result in results))

    async def ready_for(self, screen: Screen, names: Iterable[str]) -> None:
        """The same of names."""
        await self.titles.ready(names)
        if problem := self.titles.take_problem():
            screen.say(f"asynctask: -r: {problem}")


class Pen:
    """Writes to one stream, as few times as can be; to a terminal nothing that drives it.

    Args:
        screen: where.
        fd: which stream.
        style: how.
    """

    def __init__(self, screen: Screen, fd: int, style: Style) -> None:
        self._screen = screen
        self._fd = fd
        self._style = style
        self._terminal = screen.is_terminal(fd)
        self._parts: list[bytes] = []
        self._size = 0
        self.palette = style.palettes[0 if fd == STDOUT else 1]

    def safe(self, data: bytes) -> bytes:
        """What may be shown of what a node has printed, or is called."""
        return visible(data) if self._terminal else data

    def safe_lines(self, lines: list[bytes]) -> list[bytes]:
        """The same of lines."""
        return visible(b"\n".join(lines)).split(b"\n") if self._terminal and lines else lines

    def label(self, name: str) -> bytes:
        """What stands in front of a line."""
        if not self._style.label:
            return b""
        text = self.safe(encoded(name)) + b": "
        return self.palette.heading(text) if self._fd == STDOUT else self.palette.error(text)

    def header(self, title: str) -> bytes:
        """What stands above a text, with its newline."""
        if not self._style.label:
            return b""
        text = b"\n".join((_RULE, self.safe(encoded(title)), _RULE))
        return (self.palette.heading(text) if self._fd == STDOUT else self.palette.error(text)) + b"\n"

    async def put(self, *parts: bytes) -> None:
        """Write something, soon; what costs time to make should be put in pieces: others get their turn."""
        self._parts += parts
        self._size += sum(map(len, parts))
        if self._size >= _BATCH:
            await self.flush()
            await asyncio.sleep(0)

    async def flush(self) -> None:
        """Write what has been put."""
        if self._parts:
            data = b"".join(self._parts)
            self._parts.clear()
            self._size = 0
            await self._screen.write(self._fd, data)


def labelled(lines: list[bytes], label: bytes) -> bytes:
    """Lines, each with a label in front and its end."""
    return label + (b"\n" + label).join(lines) + b"\n"
