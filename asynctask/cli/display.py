"""How output is shown: as it comes, gathered, or by node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from asynctask import nodes as _nodes
from asynctask.cli.terminal import visible
from asynctask.cli.writer import STDERR, STDOUT
from asynctask.errors import NodeSetError
from asynctask.messages import Message, group

if TYPE_CHECKING:
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("LiveDisplay", "fold", "show_by_node", "show_gathered")

_RULE = b"---------------"


class LiveDisplay:
    """A handler that shows lines as they come, each with its node in front."""

    def __init__(self, screen: Screen, *, label: bool) -> None:
        self._screen = screen
        self._label = label

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        fd = STDERR if sname == "stderr" else STDOUT
        text = b"\n".join(lines)
        if self._screen.is_terminal(fd):
            text = visible(text)
        if self._label:
            label = f"{node}: ".encode()
            text = label + text.replace(b"\n", b"\n" + label)
        await self._screen.write(fd, text + b"\n")


async def show_gathered(screen: Screen, results: Sequence[NodeResult], *, label: bool, count: bool) -> None:
    """Each distinct output once, under its nodes: by exit code, then the most nodes first."""
    for fd, stream in ((STDOUT, "out"), (STDERR, "err")):
        for _, alike in _by_rc(results):
            for message, names in _sorted_groups(alike, stream):
                text = _text(screen, fd, bytes(message))
                if label:
                    title = fold(names) + (f" ({len(names)})" if count and len(names) > 1 else "")
                    text = b"\n".join((_RULE, title.encode(), _RULE, text))
                await screen.write(fd, text + b"\n")


async def show_by_node(screen: Screen, results: Sequence[NodeResult], *, label: bool) -> None:
    """Line by line with the node in front: by exit code, then in the order of the nodes."""
    order = {node: place for place, node in enumerate(_in_order([result.node for result in results]))}
    for fd, stream in ((STDOUT, "out"), (STDERR, "err")):
        for _, alike in _by_rc(results):
            for result in sorted(alike, key=lambda result: order[result.node]):
                message = result.out if stream == "out" else result.err
                prefix = f"{result.node}: ".encode() if label else b""
                lines = [prefix + _text(screen, fd, line) for line in message]
                if lines:
                    await screen.write(fd, b"\n".join(lines) + b"\n")


def fold(names: Iterable[str]) -> str:
    """A node set, or the names as they are where they make none."""
    names = list(names)
    try:
        return _nodes.fold(names)
    except NodeSetError:
        return ",".join(names)


def _in_order(names: list[str]) -> list[str]:
    try:
        return list(_nodes.parse(names))
    except NodeSetError:
        return names


def _by_rc(results: Sequence[NodeResult]) -> list[tuple[int, list[NodeResult]]]:
    """By exit code, lowest first; nodes without one come last."""
    found: dict[int, list[NodeResult]] = {}
    for result in results:
        found.setdefault(256 if result.rc is None else result.rc, []).append(result)
    return sorted(found.items())


def _sorted_groups(results: list[NodeResult], stream: str) -> list[tuple[Message, list[str]]]:
    groups = group((r.node, r.out if stream == "out" else r.err) for r in results)
    return sorted(groups, key=lambda entry: -len(entry[1]))


def _text(screen: Screen, fd: int, data: bytes) -> bytes:
    return visible(data) if screen.is_terminal(fd) else data
