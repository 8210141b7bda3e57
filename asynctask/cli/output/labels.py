"""Titles of sets of nodes: folded, or by the groups that are in them as a whole, and how many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from asynctask import nodes as _nodes
from asynctask.errors import GroupError, NodeSetError

__all__ = ("Titles", "fold")

#: Titles that are kept: the same sets come again where output is shown line by line.
_MOST_KEPT = 1024


class _Group(NamedTuple):
    name: str
    nodes: frozenset[str]


class Titles:
    """Writes sets of nodes, each once.

    Args:
        regroup: write the names of groups, the largest first, where a set has all nodes of one.
        source: the group source; by default the one that ``groups.conf`` makes the default.
        groupbase: names of groups without their source.
        count: say of several nodes how many they are.
    """

    def __init__(
        self,
        *,
        regroup: bool = False,
        source: str | None = None,
        groupbase: bool = False,
        count: bool = True,
    ) -> None:
        self._source = source
        self._prefix = f"@{source}:" if source and not groupbase else "@"
        self._count = count
        self._kept: dict[tuple[str, ...], str] = {}
        self._groups: list[_Group] = []
        self._lock = asyncio.Lock() if regroup else None  # None: nothing is to be looked up any more
        self._problem: str | None = None

    async def ready(self, names: Iterable[str]) -> None:
        """Look up the groups of all nodes that will be named; once, in a thread.

        A source may be a command for each group. Without this no set is written by its groups.
        """
        lock = self._lock
        if lock is None:
            return
        async with lock:
            if self._lock is not None:
                await asyncio.to_thread(self.look_up, tuple(dict.fromkeys(names)))

    def look_up(self, names: Sequence[str]) -> None:
        """The same where there is no loop: it may wait for commands."""
        self._lock = None
        try:
            self._groups = self._found(names)
        except (GroupError, NodeSetError) as exc:
            self._problem = str(exc)
        self._kept.clear()

    def take_problem(self) -> str | None:
        """Why groups are not written, or not all; ``None`` if there is nothing to say. It is told once."""
        problem, self._problem = self._problem, None
        return problem

    def of(self, names: Sequence[str]) -> str:
        """A set and, of several, how many there are: ``web[1-3] (3)``."""
        count = len(dict.fromkeys(names))
        return f"{self.names(names)} ({count})" if self._count and count > 1 else self.names(names)

    def names(self, names: Sequence[str]) -> str:
        """A set alone: ``web[1-3]``, or ``@web``."""
        if len(names) == 1 and not self._groups:
            return names[0]
        key = tuple(names)
        text = self._kept.get(key)
        if text is None:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            text = self._kept[key] = self._regrouped(names) if self._groups else fold(names)
        return text

    def _found(self, names: Sequence[str]) -> list[_Group]:
        """The groups that may be written, those with the most nodes first."""
        wanted = frozenset(names)
        groups = []
        for name in _candidates(names, self._source):
            try:
                nodes = frozenset(_nodes.parse(_reference(name, self._source)))
            except (GroupError, NodeSetError) as exc:
                self._problem = self._problem or str(exc)
                continue
            if nodes and nodes <= wanted:
                groups.append(_Group(name, nodes))
        return sorted(groups, key=lambda group: (-len(group.nodes), group.name))

    def _regrouped(self, names: Collection[str]) -> str:
        rest = set(names)
        written = []
        for group in self._groups:
            if len(group.nodes) <= len(rest) and group.nodes <= rest:
                written.append(self._prefix + group.name)
                rest -= group.nodes
        if not written:
            return fold(names)
        return _fold_groups(written) + (f",{fold(rest)}" if rest else "")


def fold(names: Iterable[str]) -> str:
    """A node set, or the names as they are where they make none.

    A record may hold names that would mean other nodes, or a group that is looked up: they are not folded.
    """
    names = list(names)
    if len(names) == 1:
        return names[0]
    if not all(map(_nodes.is_plain, names)):
        return ",".join(names)
    try:
        return _nodes.fold(names)
    except NodeSetError:
        return ",".join(names)


def _candidates(names: Sequence[str], source: str | None) -> Iterable[str]:
    """The groups that may have some of these nodes, with as few questions to the source as can be."""
    from asynctask.group_sources import Resolver, explained

    resolver = Resolver(source)
    with explained("the groups of these nodes", resolver):
        try:
            every = _nodes.groups(source)
        except GroupError:
            if not resolver.has_node_groups():
                raise
            every = ()
        if resolver.has_node_groups() and (not every or len(every) >= len(names)):
            found: dict[str, None] = {}
            for node in names:
                found.update(dict.fromkeys(resolver.node_groups(node)))
            return found
    prefix = _reference("", source)
    return [name.removeprefix(prefix) for name in every]


def _reference(group: str, source: str | None) -> str:
    return f"@{source}:{group}" if source else f"@{group}"


def _fold_groups(names: Sequence[str]) -> str:
    """Names of groups, folded as those of nodes are: ``@rack[1-2]``; they are not looked up."""
    from ClusterShell.NodeSet import RESOLVER_NOGROUP, NodeSet

    found = NodeSet(resolver=RESOLVER_NOGROUP)
    for name in names:
        found.update(name)
    return str(found)
