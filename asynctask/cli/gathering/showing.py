"""Shows what was gathered, as ``asynctask run`` shows the output of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from asynctask.cli.gathering.branching import Output, branches
from asynctask.cli.output.colors import PLAIN, Palette, wanted
from asynctask.cli.output.diff import compared, show_diffs
from asynctask.cli.output.grouping import Alike, names_in_order, order_of
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.style import Pen, Style, labelled
from asynctask.cli.screen import Screen
from asynctask.cli.terminal import STDOUT
from asynctask.messages import Message, group
from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("Look", "results", "show")

_TIMES = Times(queued=0.0)
_INDENT = b"  "
#: Lines that are made ready in one go.
_LINES = 4096


class Look(NamedTuple):
    """What the user wants to see."""

    gather: bool = False
    by_line: bool = False
    no_label: bool = False
    diff: bool = False
    tree: bool = False
    similar: bool = False
    outliers: str = ""
    regroup: bool = False
    groupsource: str | None = None
    groupbase: bool = False
    quiet: bool = False
    color: str = "auto"


class _Titles(Titles):
    """Names that are no nodes stand behind the others, as they are."""

    def __init__(self, look: Look, odd: Mapping[str, None]) -> None:
        super().__init__(
            regroup=look.regroup, source=look.groupsource, groupbase=look.groupbase, count=not look.quiet
        )
        self._odd = odd

    def names(self, names: Sequence[str]) -> str:
        if self._odd.keys().isdisjoint(names):
            return super().names(names)
        nodes = [name for name in names if name not in self._odd]
        odd = [name for name in names if name in self._odd]
        return ",".join([super().names(nodes), *odd] if nodes else odd)


def results(messages: Mapping[str, Message], odd: Mapping[str, None]) -> list[NodeResult]:
    """As the results of a run, in the order of a node set; names that are no nodes come last."""
    names = names_in_order(name for name in messages if name not in odd)
    names += [name for name in odd if name in messages]
    return [NodeResult(name, Outcome.OK, 0, None, None, _TIMES, out=messages[name]) for name in names]


async def show(screen: Screen, look: Look, found: Sequence[NodeResult], odd: Mapping[str, None]) -> None:
    """Show it on standard output.

    Args:
        screen: where.
        look: how.
        found: what :func:`results` returned.
        odd: names that are no nodes.
    """
    terminal = screen.is_terminal(STDOUT)
    style = Style(
        label=not look.no_label,
        titles=_Titles(look, odd),
        palettes=(Palette(wanted(look.color, terminal)), PLAIN),
    )
    await style.ready_for(screen, [result.node for result in found if result.node not in odd])
    if look.tree:
        await _show_tree(screen, style, look, found)
    elif look.diff:
        await show_diffs(screen, style, compared(found))
    elif look.similar:
        from asynctask.cli.output.similar import SimilarView

        await SimilarView(screen, style, outliers=look.outliers, errors=False).over(found)
    elif look.by_line:
        await _show_lines(screen, style, _sets(look, found))
    else:
        await _show_texts(screen, style, _sets(look, found))


def _sets(look: Look, found: Sequence[NodeResult]) -> list[Alike]:
    """The nodes of each output: those that printed the same together, if that is wanted."""
    if not look.gather:
        return [Alike(0, result.out, [result.node]) for result in found]
    # All is in one tree, so no byte need be looked at again.
    alike = [Alike(0, message, nodes) for message, nodes in group((r.node, r.out) for r in found)]
    return sorted(alike, key=order_of(look.outliers))


async def _show_texts(screen: Screen, style: Style, sets: Sequence[Alike]) -> None:
    """Each output under a header with its nodes."""
    pen = Pen(screen, STDOUT, style)
    terminal = screen.is_terminal(STDOUT)
    for alike in sets:
        text = alike.message.raw
        if terminal:
            text = pen.safe(text.replace(b"\r\n", b"\n"))
        await pen.put(pen.header(style.titles.of(alike.nodes)), text)
    await pen.flush()


async def _show_lines(screen: Screen, style: Style, sets: Sequence[Alike]) -> None:
    """Line by line, each with its nodes in front."""
    pen = Pen(screen, STDOUT, style)
    for alike in sets:
        label = pen.label(style.titles.names(alike.nodes))
        lines = alike.message.lines()
        for start in range(0, len(lines), _LINES):
            await pen.put(labelled(pen.safe_lines(lines[start : start + _LINES]), label))
    await pen.flush()


async def _show_tree(screen: Screen, style: Style, look: Look, found: Sequence[NodeResult]) -> None:
    """What nodes have in common once, and below it, indented, how it goes on for whom."""
    pen = Pen(screen, STDOUT, style)
    outputs = [Output(nodes, message.lines()) for message, nodes in group((r.node, r.out) for r in found)]
    places = {result.node: place for place, result in enumerate(found)}
    for branch in branches(outputs, places):
        indent = _INDENT * branch.depth
        if look.by_line:
            header = pen.label(style.titles.names(branch.nodes)).replace(b": ", b":") + b"\n"
            header = b"" if look.no_label else header
        else:
            header = pen.header(style.titles.of(branch.nodes))
            header = b"".join(indent + line for line in header.splitlines(keepends=True))
        await pen.put(header, labelled(pen.safe_lines(branch.lines), indent))
    await pen.flush()
