"""Topics and patterns: dotted names, and a tree that finds who wants to hear of a topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from asynctask.errors import UsageError

__all__ = ("Node", "PatternTree", "parse_pattern", "parse_topic", "written")

_ANY = "*"

T = TypeVar("T")


def parse_topic(topic: object) -> tuple[str, ...]:
    """The components of what can be published: ``"proc.web.exit"``.

    Raises:
        UsageError: it is no text, has an empty component, or a wildcard.
    """
    if not isinstance(topic, str):
        raise UsageError(f"topic {topic!r}: a topic is text, with dots between its components")
    parts = tuple(topic.split("."))
    if "" in parts:
        raise UsageError(f"topic {topic!r}: a component is empty")
    if _ANY in topic:
        raise UsageError(f"topic {topic!r}: '*' can be subscribed to, not published")
    return parts


def parse_pattern(pattern: object) -> tuple[str, ...]:
    """The components of what can be subscribed to; none for ``"."``, which is everything.

    Raises:
        UsageError: it is no text, has an empty component, or one with a ``*`` and something else.
    """
    if not isinstance(pattern, str):
        raise UsageError(f"pattern {pattern!r}: a pattern is text, with dots between its components")
    if pattern == ".":
        return ()
    parts = tuple(pattern.removesuffix(".").split("."))
    if "" in parts:
        raise UsageError(f"pattern {pattern!r}: a component is empty")
    if any(_ANY in part and part != _ANY for part in parts):
        raise UsageError(f"pattern {pattern!r}: '*' stands for a whole component")
    return parts


def written(parts: Iterable[str]) -> str:
    """The one way to write a pattern: ``"a"`` for ``"a."``."""
    return ".".join(parts) or "."


class Node(Generic[T]):
    """A place in a tree."""

    __slots__ = ("items", "nodes")

    def __init__(self) -> None:
        self.items: dict[T, None] = {}
        """What is under the pattern that leads here."""
        self.nodes: dict[str, Node[T]] = {}


class PatternTree(Generic[T]):
    """Items under patterns. A pattern matches a topic that begins with it, component by component."""

    def __init__(self) -> None:
        self._root: Node[T] = Node()

    def add(self, parts: tuple[str, ...], item: T) -> None:
        """Put an item under a pattern."""
        node = self._root
        for part in parts:
            node = node.nodes.setdefault(part, Node())
        node.items[item] = None

    def remove(self, parts: tuple[str, ...], item: T) -> None:
        """Take it away, and the branch that holds nothing else with it."""
        way = [self._root]
        for part in parts:
            way.append(way[-1].nodes[part])
        del way[-1].items[item]
        for part, above, node in zip(reversed(parts), reversed(way[:-1]), reversed(way[1:]), strict=True):
            if node.items or node.nodes:
                return
            del above.nodes[part]

    def match(self, topic: tuple[str, ...]) -> tuple[Node[T], ...]:
        """The nodes with items whose pattern matches, in no order that means something."""
        level = found = [self._root]
        for part in topic:
            level = [node.nodes[name] for node in level for name in (part, _ANY) if name in node.nodes]
            found = found + level
        return tuple(node for node in found if node.items)

    def clear(self) -> None:
        """Take everything away."""
        self._root = Node()
