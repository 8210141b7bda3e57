"""Sets of nodes or of numbers, from the words of a command line and from standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from asynctask.cli.nodesets.words import OPERATIONS, UNION, Steps
from asynctask.errors import NodeSetError
from asynctask.nodes import all_nodes, parse

__all__ = ("compute", "node_set", "range_set")

_STDIN = "-"

Make = Callable[[Iterable[str]], Any]


def compute(steps: Steps, make: Make, *, everything: bool, source: str | None) -> tuple[Any, bool]:
    """Apply the steps in order to all nodes, else to the first set written, else to standard input.

    Args:
        steps: what was written.
        make: makes a set of operands.
        everything: begin with all nodes.
        source: where they come from.

    Returns:
        The set, and whether operations had nothing to work on, which may be a mistake: no node was known
        or came from standard input.
    """
    if everything:
        found = all_nodes(source)
        written = False
    else:
        first = next((place for place, (name, _) in enumerate(steps) if name == UNION), None)
        operand = _STDIN if first is None else steps[first][1]
        steps = [step for place, step in enumerate(steps) if place != first]
        found = make(_read(operand))
        written = operand != _STDIN
    in_vain = not found and not written and any(name != UNION for name, _ in steps[:1])
    for name, operand in steps:
        getattr(found, OPERATIONS[name])(make(_read(operand)))
    return found, in_vain


def node_set(source: str | None) -> Make:
    """Makes sets of nodes; names of groups without a source are of this one."""
    return lambda operands: parse(operands, source)


def range_set(operands: Iterable[str], what: str = "range set") -> Any:
    """Makes sets of numbers.

    Args:
        operands: what is in it: ``1-10``, ``15``.
        what: what a message calls them.

    Raises:
        NodeSetError: one is none.
    """
    from ClusterShell.RangeSet import RangeSet, RangeSetParseError

    found = RangeSet()
    for operand in operands:
        try:
            found.update(RangeSet(operand))
        except (RangeSetParseError, AssertionError) as exc:  # it asserts that a range is not too large
            raise NodeSetError(f"{what} {operand!r}: {exc}") from exc
    return found


def _read(operand: str) -> Iterator[str]:
    """The sets in an argument, which may have several lines, or on standard input."""
    if operand != _STDIN:
        yield from operand.splitlines()
        return
    with open(0, "rb", closefd=False) as stream:
        text = stream.read().decode(errors="surrogateescape")
    for line in text.splitlines():
        yield from line.partition("#")[0].split()
