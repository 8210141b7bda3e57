"""Lists of node groups and of their sources."""

from __future__ import annotations

from collections.abc import Iterator

from asynctask.errors import GroupError
from asynctask.group_sources import cannot_list
from asynctask.nodes import NodeSet, groups, memberships, parse, sources

__all__ = ("completions", "every_source", "group_lines", "source_lines")


def source_lines(source: str | None, *, quiet: bool) -> list[str]:
    """The group sources, the default one first."""
    found = list(sources(source))
    if found and not quiet:
        found[0] += " (default)"
    return found


def group_lines(
    level: int, source: str | None, nodes: NodeSet | None = None, *, prefix: bool = True
) -> Iterator[str]:
    """The groups of a source, or those that have any of some nodes.

    Args:
        level: 1: their names; 2: with their nodes, or those of ``nodes`` that are in them; 3: and how many.
        source: which one.
        nodes: the nodes, ``None``: all groups.
        prefix: write the source into the names.
    """
    if nodes is None:
        for name in groups(source):
            shown = name if prefix or not source else "@" + name.partition(":")[2]
            if level == 1:
                yield shown
                continue
            members = parse(name, source)
            yield f"{shown} {members}" if level == 2 else f"{shown} {members} {len(members)}"
        return
    for name, (whole, part) in memberships(nodes, source, prefix=prefix).items():
        text = name if level == 1 else f"{name} {part}"
        yield text if level < 3 else f"{text} {len(part)}/{len(whole)}"


def every_source(
    level: int, source: str | None, nodes: NodeSet | None, problems: list[GroupError], *, prefix: bool
) -> Iterator[str]:
    """The same of all sources; the first one, which is the default or ``source``, is not in the names.

    Args:
        level: as for :func:`group_lines`, like the next two.
        source: which one comes first; by default the default one.
        nodes: whose groups.
        problems: takes what is wrong with a source, and the others are listed all the same.
        prefix: write the sources into the names.
    """
    for place, name in enumerate(sources(source)):
        try:
            yield from group_lines(level, name, nodes, prefix=prefix and place > 0)
        except GroupError as exc:
            problems.append(exc)


def completions(source: str | None, nodes: NodeSet | None) -> Iterator[str]:
    """What may follow ``@``: sources and groups; and the nodes written so far, for a shell to complete."""
    if source is None:
        yield from (f"@{name}:" for name in sources())
    try:
        yield from group_lines(1, source)
    except GroupError as exc:
        if not cannot_list(exc):
            raise
    if nodes:
        yield " ".join(nodes)
