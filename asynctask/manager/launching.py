"""Between the manager and what runs processes: here, on nodes, in tests.

The manager decides; a :class:`Launcher` starts what it is told to, or finds it still running, and a
:class:`Running` is the one process that came of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from asynctask.manager.template import ProcessTemplate

__all__ = ("Ears", "Exit", "Launcher", "Order", "Running", "Usage")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended; both are ``None`` when nobody can tell."""

    code: int | None
    """Its exit code, if it exited by itself."""
    signal: int | None = None
    """The number of the signal that ended it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children take."""

    cpu: float
    """Per cent of one core, since the last look."""
    memory: int
    """Bytes that are resident."""
    processes: int = 1
    """How many these are."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to start."""

    template: ProcessTemplate
    pid: int
    """The manager's number for it; each process has another."""
    index: int | None
    """Its place among the processes of its template on its node, from 0; ``None``: it is run once."""
    node: str | None = None
    env: Mapping[str, str] | None = None
    """More variables than the template has."""


class Ears(Protocol):
    """Where a process is heard. Nothing here waits; all is called on the loop."""

    def output(self, stream: str, chunk: bytes) -> None:
        """Output of ``"stdout"``, ``"stderr"`` or a custom stream, cut anywhere."""

    def lost(self, reason: str) -> None:
        """The connection to its node broke. This is no exit."""

    def found(self) -> None:
        """There is a connection to it again, and it still runs."""

    def warn(self, text: str) -> None:
        """Something that the operator should know: a log that cannot be written, output that was dropped."""


class Running(Protocol):
    """One process. What it is asked for has bounds; cancelling leaves the process as it is."""

    @property
    def os_pid(self) -> int | None:
        """The system's number for it, which is its group's, too; ``None``: not known."""

    @property
    def found(self) -> bool:
        """Whether it was not started now, but found running."""

    async def wait(self) -> Exit:
        """Wait for its exit, whatever becomes of its group and its output. May be called several times."""

    async def signal(self, number: int) -> bool:
        """Send a signal to its whole group, and tell whether anybody was there to get it."""

    def has_group(self) -> bool:
        """After its exit: whether its group may still have members. Asks nobody."""

    async def group_gone(self) -> None:
        """Wait until it has exited, and its group has no member."""

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        """Write to its input, or to a custom stream, waiting for room.

        Raises:
            ManagerError: it has no such stream, or does not read any more.
        """

    async def close_input(self, stream: str = "stdin") -> None:
        """End an input."""

    def pause_reading(self) -> None:
        """Read no more output; it waits when its pipe is full."""

    def resume_reading(self) -> None:
        """Read again."""

    async def usage(self) -> Usage | None:
        """What it takes; ``None``: not known."""

    async def check(self, command: list[str], timeout: float) -> bool:
        """Run a command where it runs, as its user, in its directory, and tell whether it exited with 0."""

    async def aclose(self) -> None:
        """Its exit is known: deliver what output is left (0.5 s at most), and let go of everything.

        Before its exit: leave it alone, as a manager does that leaves a detached process behind.
        """


class Launcher(Protocol):
    """Starts processes. It belongs to one manager, and to its loop."""

    async def launch(self, order: Order, ears: Ears) -> Running:
        """Start a process, or find the one that runs in this place (template, node, index) already.

        Raises:
            LaunchError: it could not be started, and why.

        Cancelling starts nothing, or ends what was started.
        """

    async def aclose(self) -> None:
        """All of its processes are over or left behind: let go of what was shared."""
