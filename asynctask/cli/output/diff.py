"""How the outputs of nodes differ from that of most of them."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from asynctask.cli.output.colors import PLAIN, Palette
from asynctask.cli.output.gathered import show_gathered
from asynctask.cli.output.grouping import by_rc, gathered, ordered
from asynctask.cli.output.style import Pen, Style
from asynctask.cli.terminal import STDERR, STDOUT, encoded, visible
from asynctask.cli.view import View
from asynctask.messages import EMPTY, Message

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult

__all__ = ("Compared", "DiffView", "compared", "show_diffs", "unified")


class Compared(NamedTuple):
    """An output, with the nodes that printed it."""

    nodes: list[str]
    message: Message


class DiffView(View):
    """Shows each other output as a unified diff against the reference.

    Args:
        screen: where.
        style: how.
        errors: whether standard error is shown, gathered, too.
    """

    def __init__(self, screen: Screen, style: Style, *, errors: bool = True) -> None:
        self._screen = screen
        self._style = style
        self._errors = errors

    async def over(self, results: Sequence[NodeResult]) -> None:
        results = await ordered(results)
        await self._style.ready(self._screen, results)
        await show_diffs(self._screen, self._style, compared(results))
        if self._errors:
            await show_gathered(self._screen, self._style, results, STDERR)


def compared(results: Sequence[NodeResult]) -> list[Compared]:
    """What to compare: first the reference, then the rest; empty if no node has printed anything.

    The reference is, of those of the lowest exit code that has output, the one of the most nodes, then of
    the first node. Nodes of each exit code that printed nothing follow the others of that code.

    Args:
        results: in the order of their nodes.
    """
    found: list[Compared] = []
    reference: Compared | None = None
    for _, alike in by_rc(results):
        groups = [Compared(group.nodes, group.message) for group in gathered(alike)]
        if reference is None and groups:
            reference = groups.pop(0)
        silent = [result.node for result in alike if not result.out]
        found += groups + ([Compared(silent, EMPTY)] if silent else [])
    return [reference, *found] if reference is not None else []


async def show_diffs(screen: Screen, style: Style, texts: Sequence[Compared]) -> None:
    """Show how each of the texts differs from the first."""
    if not texts:
        return
    pen = Pen(screen, STDOUT, style)
    safe = screen.is_terminal(STDOUT)
    old_title, *titles = await asyncio.to_thread(_titles, style, texts)
    old, *news = texts
    old_lines = old.message.lines()
    for title, new in zip(titles, news, strict=True):
        # Two long texts that have little in common take long: Ctrl-C must work meanwhile.
        diff = await asyncio.to_thread(
            unified, old_title, old_lines, title, new.message.lines(), pen.palette, safe=safe
        )
        await pen.put(diff)
    await pen.flush()


def _titles(style: Style, texts: Sequence[Compared]) -> list[str]:
    return [style.titles.of(text.nodes) for text in texts]


def unified(
    old_title: str,
    old: Sequence[bytes],
    new_title: str,
    new: Sequence[bytes],
    palette: Palette = PLAIN,
    *,
    safe: bool = False,
) -> bytes:
    """A unified diff of lines; ``b""`` if they are the same.

    Args:
        old_title: what the lines of ``old`` are called.
        old: lines, without their ends.
        new_title: what those of ``new`` are called.
        new: as ``old``.
        palette: colours.
        safe: write control characters out, for a terminal.
    """
    return b"".join(line + b"\n" for line in _colored(old_title, old, new_title, new, palette, safe))


def _colored(
    old_title: str, old: Sequence[bytes], new_title: str, new: Sequence[bytes], palette: Palette, safe: bool
) -> Iterator[bytes]:
    paint = {b"@": palette.place, b"+": palette.added, b"-": palette.removed}
    # Bytes are told apart as they are: what is no text differs from other bytes that are none.
    lines = difflib.diff_bytes(difflib.unified_diff, old, new, lineterm=b"")
    for number, line in enumerate(lines):
        if number < 2:
            title = encoded((old_title, new_title)[number])
            text = (b"--- ", b"+++ ")[number] + (visible(title) if safe else title)
            yield palette.mark(text)
            continue
        text = visible(line) if safe else line
        painter = paint.get(line[:1])
        yield painter(text) if painter else text
