"""Puts the interactive mode together for a command line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from asynctask.cli.completing.hosts import known_names
from asynctask.cli.interactive import completion
from asynctask.cli.interactive.completion import Completion, complete
from asynctask.cli.interactive.opening import open_lines
from asynctask.cli.interactive.past_lines import DEFAULT_SIZE, PastLines, history_path
from asynctask.cli.interactive.shell import Run, Shell

if TYPE_CHECKING:
    from asynctask.cli.request import Request
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("interact",)


async def interact(request: Request, run: Run, *, history_size: int = DEFAULT_SIZE) -> int:
    """Let the user type commands, and run them.

    Args:
        request: the targets to begin with, and how commands are run and shown; its command is not used.
        run: runs a command, with a pool in which connections are kept for the next one.
        history_size: how many lines are kept for the next session; 0: none.

    Returns:
        The exit status: 0, or 128 and the number of the signal that ended it.

    Raises:
        OSError: what nodes print cannot be shown any more.
    """
    past = PastLines(history_path(), history_size)
    candidates = _Candidates(request)

    def how(line: str) -> Sequence[Completion]:
        return complete(
            line,
            nodes=lambda: candidates.nodes,
            chosen=lambda: shell.chosen,
            groups=lambda: candidates.groups,
            commands=lambda: candidates.commands,
        )

    shell = Shell(request, run, open_lines(past.lines, how), past, _pool)
    return await shell.run()


def _pool() -> ConnectionPool:
    from asynctask.ssh.pool import ConnectionPool

    return ConnectionPool()


class _Candidates:
    """What lines may go on with: looked up once a session, when first wanted."""

    def __init__(self, request: Request) -> None:
        self._request = request

    @cached_property
    def nodes(self) -> list[str]:
        return [*self._request.targets, *known_names(Path.home())]

    @cached_property
    def groups(self) -> list[str]:
        return completion.group_names(self._request.groupsource)

    @cached_property
    def commands(self) -> list[str]:
        return completion.programs()
