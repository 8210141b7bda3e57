"""Which results belong together, and in what order they are shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from asynctask import nodes as _nodes
from asynctask.errors import NodeSetError
from asynctask.messages import Message, group

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult

__all__ = ("NO_CODE", "Alike", "by_rc", "gathered", "in_order", "names_in_order", "order_of", "ordered")

#: Comes after every exit code: nodes without one are shown last.
NO_CODE = 256


class Alike(NamedTuple):
    """Nodes that printed the same."""

    rc: int
    """Their exit code; :data:`NO_CODE` if they have none."""
    message: Message
    nodes: list[str]
    """In order."""


def in_order(results: Sequence[NodeResult]) -> list[NodeResult]:
    """In the order of a node set; where the names make none, as they are."""
    order = {node: place for place, node in enumerate(names_in_order(result.node for result in results))}
    return sorted(results, key=lambda result: order[result.node])


def names_in_order(names: Iterable[str]) -> list[str]:
    """Names in the order of a node set; where they make none, as they are. Each once."""
    names = list(dict.fromkeys(names))
    if len(names) == 1:
        return names
    try:
        found = dict.fromkeys(_nodes.parse(filter(_nodes.is_plain, names)))
    except NodeSetError:
        return names
    found.update(dict.fromkeys(names))  # what is no node of a set, or is written in another way there
    known = set(names)
    return [name for name in found if name in known]


def by_rc(results: Iterable[NodeResult]) -> list[tuple[int, list[NodeResult]]]:
    """By exit code, lowest first, those without one last; else in the order given."""
    found: dict[int, list[NodeResult]] = {}
    for result in results:
        found.setdefault(NO_CODE if result.rc is None else result.rc, []).append(result)
    return sorted(found.items())


def gathered(results: Iterable[NodeResult], stream: str = "out", outliers: str = "") -> list[Alike]:
    """Each distinct output of an exit code with its nodes; empty output is left out.

    Args:
        results: in the order of their nodes.
        stream: ``"out"`` or ``"err"``.
        outliers: by default it goes by exit code, then the most nodes first, then by first node.
            ``"first"``: outputs of the fewest nodes first, whatever the code; ``"last"``: last.
    """
    found = [
        Alike(rc, message, nodes)
        for rc, alike in by_rc(results)
        for message, nodes in _distinct(alike, stream)
    ]
    return sorted(found, key=order_of(outliers))


def order_of(outliers: str) -> Callable[[Any], tuple[int, ...]]:
    """The sort key of what has ``rc`` and ``nodes`` and comes by first node: see :func:`gathered`."""
    if outliers == "first":
        return lambda alike: (len(alike.nodes), alike.rc)
    if outliers == "last":
        return lambda alike: (-len(alike.nodes), alike.rc)
    return lambda alike: (alike.rc, -len(alike.nodes))


async def ordered(results: Sequence[NodeResult]) -> list[NodeResult]:
    """:func:`in_order`, in a thread: with thousands of nodes it takes longer than a loop may be held."""
    return await asyncio.to_thread(in_order, results)


def _distinct(results: list[NodeResult], stream: str) -> list[tuple[Message, list[str]]]:
    """The nodes of each output, in order, and by first node.

    They are not so by themselves if there are several gather trees: batches and attempts have one each.
    """
    groups = group((r.node, r.out if stream == "out" else r.err) for r in results)
    if len(groups) > 1:
        order = {result.node: place for place, result in enumerate(results)}
        for _, names in groups:
            names.sort(key=order.__getitem__)
        groups.sort(key=lambda entry: order[entry[1][0]])
    return groups
