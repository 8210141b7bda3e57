"""``--confirm``: asks before a command runs on many nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from asynctask.cli.output.labels import fold
from asynctask.errors import AsyncTaskError

__all__ = ("confirm", "is_asked", "question")

#: Characters of a command and of a node set that are shown.
_MOST_COMMAND, _MOST_NODES = 200, 300


def is_asked(count: int, most: int | None, *, yes: bool = False) -> bool:
    """Whether so many nodes need a consent.

    Args:
        count: how many targets there are.
        most: how many may be without; ``None``: any number.
        yes: it was given beforehand.
    """
    return most is not None and count > most and not yes


def question(what: str, targets: Sequence[str]) -> str:
    """What is asked.

    Args:
        what: the command, or what is copied where.
        targets: all of them.
    """
    nodes = "1 node" if len(targets) == 1 else f"{len(targets)} nodes"
    return (
        f"Run {_cut(repr(what), _MOST_COMMAND)} on {nodes} {_cut(fold(targets), _MOST_NODES)}?"
        " Type the number of nodes to go on: "
    )


def confirm(what: str, targets: Sequence[str], ask: Callable[[str], str | None]) -> None:
    """Ask, and go on only if the answer is the number of nodes: nobody types that by habit.

    Args:
        what: as for :func:`question`.
        targets: likewise.
        ask: asks; ``None`` if nobody can be asked.

    Raises:
        click.UsageError: nobody can be asked.
        AsyncTaskError: the answer is another one.
    """
    answer = ask(question(what, targets))
    if answer is None:
        raise click.UsageError(
            f"{len(targets)} nodes have to be confirmed, and there is no terminal to ask on:"
            " --yes confirms them"
        )
    if answer.strip() != str(len(targets)):
        raise AsyncTaskError("not confirmed: nothing was run")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."
