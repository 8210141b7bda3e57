"""How a node's part of a run ended, as plain data."""

from __future__ import annotations

import enum
import signal as _signal
from dataclasses import dataclass, field

from asynctask.errors import NodeError
from asynctask.messages import EMPTY, Message

__all__ = ("Ended", "NodeResult", "Outcome", "Times")


class Outcome(enum.Enum):
    """How a node's part ended. Each target of a run has exactly one."""

    OK = "ok"
    """The command ran and returned 0."""
    FAILED = "failed"
    """The command ran and returned another code."""
    SIGNALLED = "signalled"
    """A signal that asynctask did not send ended the command."""
    TIMED_OUT = "timed out"
    """The command, or the whole run, took too long; it was stopped."""
    UNREACHABLE = "unreachable"
    """No connection, no answer in time, or the connection broke."""
    REFUSED = "refused"
    """The address answered and nothing listens on the port."""
    AUTH_FAILED = "authentication failed"
    """The node refused every way of logging in."""
    HOST_KEY = "host key wrong"
    """The node's host key is unknown or not the one on record."""
    SPAWN_FAILED = "could not spawn"
    """The command could not be started, here or on the node."""
    ABORTED = "aborted"
    """It was stopped because the caller aborted or cancelled the run."""
    NEVER_STARTED = "never started"
    """The run ended before this node's turn came."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Times:
    """When each phase began, in seconds of the monotonic clock; ``None`` if it never did.

    Differences between the fields mean something; the values alone do not.
    """

    queued: float
    """The target was handed to the run."""
    began: float | None = None
    """Its turn came: a slot of the fanout was free."""
    connected: float | None = None
    """The connection was up and logged in (SSH only)."""
    started: float | None = None
    """The command ran."""
    first_output: float | None = None
    """The first byte arrived."""
    ended: float | None = None
    """The outcome was known."""

    @property
    def duration(self) -> float | None:
        """Seconds from its turn to its outcome; ``None`` if its turn never came."""
        if self.began is None or self.ended is None:
            return None
        return self.ended - self.began


@dataclass(frozen=True, slots=True)
class Ended:
    """What a worker reports when a target's part is over: the plain data of its end."""

    outcome: Outcome
    """How."""
    rc: int | None = None
    """The exit status; 128 + signal number for a signal; ``None`` if there is none."""
    signal: int | None = None
    """The number of the signal that ended the command, if one did."""
    error: NodeError | None = None
    """Why there is no exit status, in words, when there is none."""

    @classmethod
    def from_returncode(cls, rc: int) -> Ended:
        """From an exit status: negative is a signal, as ``subprocess`` has it."""
        if rc < 0:
            return cls(Outcome.SIGNALLED, rc=128 - rc, signal=-rc)
        return _ENDED_OK if rc == 0 else cls(Outcome.FAILED, rc=rc)


_ENDED_OK = Ended(Outcome.OK, rc=0)


@dataclass(frozen=True, slots=True)
class NodeResult:
    """One node's part of a run: how it ended, when, and what it printed."""

    node: str
    """The target."""
    outcome: Outcome
    """How it ended."""
    rc: int | None
    """The exit status; 128 + signal number for a signal; ``None`` if there is none."""
    signal: int | None
    """The number of the signal that ended the command, if one did."""
    error: NodeError | None
    """Why there is no exit status, in words, when there is none."""
    times: Times
    """When each phase began."""
    unwritten: int = 0
    """Bytes of input, at least, that were not written since the command took no more."""
    out: Message = field(default=EMPTY, repr=False)
    """Standard output, stored once for all nodes that printed the same."""
    err: Message = field(default=EMPTY, repr=False)
    """Standard error; empty unless the worker keeps it apart (``stderr=True``)."""

    @property
    def ok(self) -> bool:
        """Whether the command ran and returned 0."""
        return self.outcome is Outcome.OK

    @property
    def stdout(self) -> bytes:
        """Standard output, byte for byte."""
        return self.out.raw

    @property
    def stderr(self) -> bytes:
        """Standard error, byte for byte; empty unless kept apart with ``stderr=True``."""
        return self.err.raw

    @property
    def text(self) -> str:
        """Standard output as text: UTF-8, what is not UTF-8 replaced, the last newline off."""
        return bytes(self.out).decode(errors="replace")

    def describe(self) -> str:
        """How it ended, in a few words: ``failed with exit code 3``, ``killed by SIGKILL``, and so on."""
        if self.outcome is Outcome.FAILED:
            return f"failed with exit code {self.rc}"
        if self.outcome is Outcome.SIGNALLED and self.signal is not None:
            return f"killed by {signal_name(self.signal)}"
        return str(self.outcome)


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9; ``signal 99`` for one that this system does not know."""
    try:
        return _signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
