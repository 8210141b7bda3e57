"""How output is shown: as it comes, gathered, or by node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asynctask import nodes as _nodes
from asynctask.cli.terminal import encoded, visible
from asynctask.cli.writer import STDERR, STDOUT
from asynctask.errors import NodeSetError
from asynctask.lines import PartialLine
from asynctask.messages import Message, group

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("LiveDisplay", "fold", "show_by_node", "show_gathered", "title")

_RULE = b"---------------"


class LiveDisplay:
    """A handler that shows lines as they come, each with its node in front."""

    def __init__(self, screen: Screen, *, label: bool) -> None:
        self._screen = screen
        self._label = label
        self._unfinished: dict[int, tuple[str, str]] = {}  # whose line each stream is in the middle of

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        fd = STDERR if sname == "stderr" else STDOUT
        label = encoded(f"{node}: ") if self._label else b""
        if self._screen.is_terminal(fd):
            text = visible(_labelled(lines, label))
        elif fd in self._unfinished or PartialLine in map(type, lines):
            text = self._with_pieces(fd, (node, sname), lines, label)
        else:
            text = _labelled(lines, label)
        await self._screen.write(fd, text)

    def _with_pieces(self, fd: int, whose: tuple[str, str], lines: list[bytes], label: bytes) -> bytes:
        """Lines too long to come in one piece are whole again, unless another node's come between."""
        unfinished = self._unfinished.pop(fd, None)
        parts = [] if unfinished in (None, whose) else [b"\n"]
        inside = unfinished == whose
        for line in lines:
            parts += [b"" if inside else label, line]
            inside = type(line) is PartialLine
            parts.append(b"" if inside else b"\n")
        if inside:
            self._unfinished[fd] = whose
        return b"".join(parts)


async def show_gathered(screen: Screen, results: Sequence[NodeResult], *, label: bool, count: bool) -> None:
    """Each distinct output once, under its nodes: by exit code, then the most nodes first."""
    results = _in_order(results)
    for fd, stream in ((STDOUT, "out"), (STDERR, "err")):
        for _, alike in _by_rc(results):
            for message, names in _sorted_groups(alike, stream):
                text = bytes(message)
                if screen.is_terminal(fd):
                    text = visible(text.replace(b"\r\n", b"\n"))
                if label:
                    heading = encoded(title(names, count=count))
                    if screen.is_terminal(fd):
                        heading = visible(heading)
                    text = b"\n".join((_RULE, heading, _RULE, text))
                await screen.write(fd, text + b"\n")


async def show_by_node(screen: Screen, results: Sequence[NodeResult], *, label: bool) -> None:
    """Line by line with the node in front: by exit code, then in the order of the nodes."""
    results = _in_order(results)
    for fd, stream in ((STDOUT, "out"), (STDERR, "err")):
        for _, alike in _by_rc(results):
            for result in alike:
                lines = (result.out if stream == "out" else result.err).lines()
                if lines:
                    text = _labelled(lines, encoded(f"{result.node}: ") if label else b"")
                    await screen.write(fd, visible(text) if screen.is_terminal(fd) else text)


def title(names: Sequence[str], *, count: bool = True) -> str:
    """A node set and, of several, how many there are: ``web[1-3] (3)``."""
    return fold(names) + (f" ({len(names)})" if count and len(names) > 1 else "")


def fold(names: Iterable[str]) -> str:
    """A node set, or the names as they are where they make none."""
    names = list(names)
    try:
        return _nodes.fold(names)
    except NodeSetError:
        return ",".join(names)


def _in_order(results: Sequence[NodeResult]) -> list[NodeResult]:
    """In the order of a node set."""
    try:
        order = {node: place for place, node in enumerate(_nodes.parse(r.node for r in results))}
    except NodeSetError:
        return list(results)
    return sorted(results, key=lambda result: order.get(result.node, len(order)))


def _by_rc(results: Sequence[NodeResult]) -> list[tuple[int, list[NodeResult]]]:
    """By exit code, lowest first; nodes without one come last."""
    found: dict[int, list[NodeResult]] = {}
    for result in results:
        found.setdefault(256 if result.rc is None else result.rc, []).append(result)
    return sorted(found.items())


def _sorted_groups(results: list[NodeResult], stream: str) -> list[tuple[Message, list[str]]]:
    groups = group((r.node, r.out if stream == "out" else r.err) for r in results)
    return sorted(groups, key=lambda entry: -len(entry[1]))


def _labelled(lines: Sequence[bytes], label: bytes) -> bytes:
    return label + (b"\n" + label).join(lines) + b"\n"
