"""Shows what two runs have different."""

from __future__ import annotations

from collections.abc import Iterator

from asynctask.cli.output.colors import Palette, wanted
from asynctask.cli.output.diff import unified
from asynctask.cli.output.labels import Titles
from asynctask.cli.past.differing import Changed, Difference, compare
from asynctask.cli.past.printing import put_bytes
from asynctask.cli.past.reading import find, open_history, read_nodes
from asynctask.cli.terminal import STDOUT, encoded, is_terminal

__all__ = ("show_difference",)

_RULE = b"---------------"


def show_difference(old: str, new: str, *, quiet: bool, color: str) -> bool:
    """Show it, unless ``quiet``; whether there is any.

    Raises:
        HistoryError: there are no such runs.
    """
    with open_history() as history:
        numbers = find(history, old), find(history, new)
        before, after = (read_nodes(history, number, output=True) for number in numbers)
    difference = compare(before, after)
    if not quiet:
        palette = Palette(wanted(color, is_terminal(STDOUT)))
        put_bytes(_text(difference, numbers, palette))
    return bool(difference)


def _text(difference: Difference, numbers: tuple[int, int], palette: Palette) -> Iterator[bytes]:
    titles = Titles()
    for number, names in zip(numbers, (difference.only_old, difference.only_new), strict=True):
        if names:
            yield encoded(f"only in run {number}: {titles.of(names)}\n")
    for before, after, names in difference.ends:
        yield encoded(f"{titles.of(names)}: was {before}, is {after}\n")
    for changed in difference.outputs:
        yield palette.heading(b"\n".join((_RULE, encoded(titles.of(changed.nodes)), _RULE))) + b"\n"
        yield _unified(changed, numbers, palette)


def _unified(changed: Changed, numbers: tuple[int, int], palette: Palette) -> bytes:
    stream = "" if changed.stream == "stdout" else " (standard error)"
    before, after = changed.lines
    title, other = (f"run {number}{stream}" for number in numbers)
    diff = unified(title, before, other, after, palette, safe=is_terminal(STDOUT))
    return diff or b"(they differ in the ends of lines alone)\n"
