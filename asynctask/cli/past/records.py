"""What the history holds: runs, and in each its nodes, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from asynctask.cli.past.controller import Controller
from asynctask.outcome import Outcome

__all__ = ("NO_OUTPUT", "Batch", "End", "NewRun", "Node", "Output", "Plan", "Run")


@dataclass(frozen=True, slots=True)
class Output:
    """What is kept of one stream of a node: all of it, or its beginning and its end."""

    data: bytes = b""
    size: int = 0
    """How many bytes there were."""
    cut: int | None = None
    """Where in :attr:`data` something is left out; ``None`` if nothing is."""

    @property
    def missing(self) -> int:
        """How many bytes are left out."""
        return self.size - len(self.data)

    @property
    def shown(self) -> bytes:
        """The output, with a line in place of what is left out."""
        if not self.missing:
            return self.data
        cut = self.cut or 0
        before, after = self.data[:cut], self.data[cut:]
        line = f"[{self.missing} bytes were not kept]\n".encode()
        return before + (b"\n" if before and not before.endswith(b"\n") else b"") + line + after


NO_OUTPUT = Output()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that begins. Times are seconds since 1970."""

    command: str
    plain: Mapping[str, Any]
    """The request, without targets and without what must not be kept."""
    variables: tuple[str, ...]
    """The names of the variables that it sets."""
    input: bool
    """Whether it is given something to read."""
    cwd: str
    targets: tuple[str, ...]
    controller: Controller
    began: float
    retry_of: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one node ended."""

    place: int
    began: float | None
    started: float | None
    ended: float | None
    attempts: int
    outcome: str
    rc: int | None
    signal: int | None
    reason: str | None
    hint: str | None
    out: Output = NO_OUTPUT
    err: Output = NO_OUTPUT

    @property
    def size(self) -> int:
        """Bytes of output."""
        return len(self.out.data) + len(self.err.data)


@dataclass(slots=True)
class Batch:
    """What is written at once."""

    starts: list[tuple[float, int]] = field(default_factory=list)
    """When, and the place of the node."""
    ends: list[End] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.starts or self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as it is on record."""

    id: int
    retry_of: int | None
    command: str
    plain: Mapping[str, Any]
    variables: tuple[str, ...]
    input: bool
    cwd: str
    count: int
    targets: str | None
    """The node set; ``None`` while it has not been written down."""
    controller: Controller
    began: float
    ended: float | None
    status: int | None

    def state(self) -> str:
        """In a word or two, whether it is over."""
        if self.ended is not None:
            return "ended"
        lives = self.controller.lives()
        if lives:
            return "running"
        return "broken off" if lives is False else f"on {self.controller.host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node's part of a run as it is on record."""

    place: int
    node: str
    began: float | None
    started: float | None
    """When its command was about to be started; ``None`` if it never was."""
    ended: float | None
    attempts: int
    outcome: Outcome | None
    """``None`` if it is not known to have ended."""
    rc: int | None
    signal: int | None
    reason: str | None
    hint: str | None
    out: Output = NO_OUTPUT
    err: Output = NO_OUTPUT

    @property
    def ok(self) -> bool:
        return self.outcome is Outcome.OK

    @property
    def finished(self) -> bool:
        """Whether its command came to an end, or could not be started; a run that ends early stops some."""
        return self.outcome not in {None, Outcome.ABORTED, Outcome.NEVER_STARTED}

    @property
    def untouched(self) -> bool:
        """Whether its command was never started, and nothing speaks against starting it."""
        if self.outcome is Outcome.NEVER_STARTED:
            return True
        return self.started is None and not self.finished


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do of a run."""

    run: Run
    left: tuple[Node, ...]
    """The nodes to run on."""
    unknown: tuple[Node, ...]
    """They were started, or may have been, and nobody knows whether to the end; not among :attr:`left`."""
    exact: bool
    """Whether all starts are on record."""
