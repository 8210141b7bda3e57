"""``--check``: a command on this machine that decides after each batch whether the next one may begin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from asynctask.cli.output.labels import fold
from asynctask.errors import HandlerErrors
from asynctask.outcome import Outcome
from asynctask.task import Task

if TYPE_CHECKING:
    from asynctask.outcome import NodeResult
    from asynctask.workers.base import Worker

__all__ = ("Ask", "Check", "Finished", "pass_gate")

#: Asks a question; ``None`` if nobody can be asked.
Ask: TypeAlias = Callable[[str], Awaitable[str | None]]

#: How long a check may take, in seconds: long enough to watch a canary for a while.
TIMEOUT = 3600.0
#: Bytes that the system takes as one variable.
_MOST_VALUE = 128 * 1024 - 64


@dataclass(frozen=True, slots=True)
class Finished:
    """What a check is told."""

    batch: int
    """The number of the batch that is over, from 1."""
    nodes: Sequence[str]
    """Its nodes."""
    done: int
    """How many nodes are over so far, in all batches."""
    failed: int
    """How many of these have not ended well."""

    def variables(self) -> dict[str, str]:
        """As environment variables. A node set that the system would not take is left out."""
        nodes = fold(self.nodes)
        found = {
            "ASYNCTASK_BATCH": str(self.batch),
            "ASYNCTASK_DONE": str(self.done),
            "ASYNCTASK_FAILED": str(self.failed),
        }
        if len(nodes.encode(errors="surrogateescape")) < _MOST_VALUE:
            found["ASYNCTASK_NODES"] = nodes
        return found


class Check:
    """Runs the command, by ``sh``.

    Args:
        command: what to run.
        write: shows what it prints; awaited, so that a slow terminal slows the command.
        timeout: seconds that it may take.
    """

    def __init__(
        self, command: str, write: Callable[[bytes], Awaitable[object]], timeout: float = TIMEOUT
    ) -> None:
        self._command = command
        self._write = write
        self._timeout = timeout
        self._task: Task | None = None

    async def run(self, finished: Finished) -> str | None:
        """Run it once; what is wrong, in words, or ``None``. Cancelling ends it, with all of its group."""
        problem = await self._problem(finished)
        return None if problem is None else f"--check after batch {finished.batch}: {problem}"

    async def _problem(self, finished: Finished) -> str | None:
        async with Task() as task:
            self._task = task
            try:
                task.shell(
                    self._command,
                    key="check",
                    env=finished.variables(),
                    handler=_Shown(self._write),
                    timeout=self._timeout,
                    gather=False,
                )
                result = (await task.run())["check"]
            except HandlerErrors as exc:  # what it prints cannot be shown
                return str(exc.exceptions[0])
            finally:
                self._task = None
        return None if result.ok else _words(result)

    def abort(self, *, kill: bool = False) -> None:
        """End the command, if it runs: TERM to its process group, and after the grace KILL.

        Args:
            kill: without the grace.
        """
        if self._task is not None:
            self._task.abort(kill=kill)


class _Shown:
    """Hears what a check prints."""

    def __init__(self, write: Callable[[bytes], Awaitable[object]]) -> None:
        self._write = write

    async def _ev_lines(self, worker: Worker, node: str, sname: str, lines: list[bytes]) -> None:
        await self._write(b"\n".join(lines) + b"\n")


def _words(result: NodeResult) -> str:
    if result.outcome is Outcome.SPAWN_FAILED and result.error is not None:
        return result.error.reason
    return result.describe()


async def pass_gate(
    check: Callable[[], Awaitable[str | None]], ask: Ask | None = None, *, repeatable: bool = True
) -> str | None:
    """Check until it is decided whether the next batch begins.

    Args:
        check: runs the check; what is wrong, or ``None``.
        ask: asks the user what to do about it; ``None``, or if nobody can be asked: the run ends.
        repeatable: whether another check may come to another end.

    Returns:
        Why the run ends; ``None`` if it goes on.
    """
    choices = "y/N/retry" if repeatable else "y/N"
    while True:
        problem = await check()
        if problem is None:
            return None
        answer = None if ask is None else await ask(f"asynctask: {problem}. Continue? [{choices}] ")
        word = (answer or "").lower()
        if word in ("y", "yes"):
            return None
        if not repeatable or word not in ("r", "retry"):
            return problem
