"""The outputs as a tree: what nodes have in common from the first line on stands once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

__all__ = ("Branch", "Output", "branches")


class Output(NamedTuple):
    """Lines, and the nodes that printed them."""

    nodes: list[str]
    lines: list[bytes]


class Branch(NamedTuple):
    """Lines that these nodes have in common, after what the branches above have."""

    depth: int
    nodes: list[str]
    lines: list[bytes]


def branches(outputs: Sequence[Output], places: dict[str, int]) -> Iterator[Branch]:
    """The branches from the top down; of one place that of the most nodes first, then by first node.

    Args:
        outputs: all different.
        places: the order of the nodes.
    """
    stack = [(0, 0, group) for group in reversed(_alike(outputs, 0, places))]
    while stack:
        depth, start, group = stack.pop()
        end = _common_end(group, start)
        nodes = sorted((node for output in group for node in output.nodes), key=places.__getitem__)
        yield Branch(depth, nodes, group[0].lines[start:end])
        longer = [output for output in group if len(output.lines) > end]
        stack += ((depth + 1, end, part) for part in reversed(_alike(longer, end, places)))


def _common_end(group: Sequence[Output], start: int) -> int:
    """How far these outputs, the same at ``start``, go together."""
    first = group[0].lines
    end = min(len(output.lines) for output in group)
    for other in group[1:]:
        lines = other.lines
        end = next((place for place in range(start, end) if lines[place] != first[place]), end)
    return end


def _alike(outputs: Sequence[Output], place: int, places: dict[str, int]) -> list[list[Output]]:
    """Those with the same line at a place together."""
    found: dict[bytes, list[Output]] = {}
    for output in outputs:
        found.setdefault(output.lines[place], []).append(output)
    return sorted(found.values(), key=lambda group: _rank(group, places))


def _rank(group: Sequence[Output], places: dict[str, int]) -> tuple[int, int]:
    nodes = [node for output in group for node in output.nodes]
    return -len(nodes), min(map(places.__getitem__, nodes))
