"""What records hold, as plain data, and back: version 1 of ``--json`` and ``--events``.

``schema-1.json`` beside this file describes each object. Within a version fields and types are only added: a
reader leaves alone what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from asynctask._version import __version__
from asynctask.cli.output.clock import Clock, moment_of, stamp
from asynctask.cli.output.labels import fold
from asynctask.cli.request import Copying, Request
from asynctask.errors import NodeError
from asynctask.outcome import NodeResult, Outcome, Times

__all__ = ("VERSION", "RunStart", "plain_outcomes", "plain_result", "plain_text", "result_from")

VERSION = 1

_PHASES = ("queued", "began", "connected", "started", "first_output", "ended")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What is run, and where."""

    nodes: tuple[str, ...] | None
    """The targets, in their order; ``None``: a record that does not tell."""
    command: str = ""
    copying: Copying | None = None
    worker: str = "ssh"
    program: str = __version__
    """The version of asynctask."""

    @classmethod
    def of(cls, request: Request) -> Self:
        """What a request starts."""
        return cls(
            nodes=request.targets, command=request.command, copying=request.copying, worker=request.worker
        )

    def plain(self) -> dict[str, Any]:
        """Its fields."""
        copying = self.copying
        return {
            "asynctask": self.program,
            "command": self.command,
            "copying": copying
            and {"sources": list(copying.sources), "dest": copying.dest, "back": copying.back},
            "worker": self.worker,
        }

    @classmethod
    def from_plain(cls, fields: Mapping[str, Any]) -> Self:
        """The one that has these fields.

        Raises:
            AttributeError, KeyError, TypeError, ValueError: they make none.
        """
        copying = fields["copying"]
        nodes = fields.get("nodes")
        return cls(
            nodes=None if nodes is None else tuple(map(plain_text, nodes)),
            command=plain_text(fields["command"]),
            copying=copying
            and Copying(
                sources=tuple(map(plain_text, copying["sources"])),
                dest=None if copying.get("dest") is None else plain_text(copying["dest"]),
                back=bool(copying.get("back")),
            ),
            worker=plain_text(fields["worker"]),
            program=plain_text(fields["asynctask"]),
        )


def plain_result(result: NodeResult, attempt: int, clock: Clock) -> dict[str, Any]:
    """How a node's part ended, without what it printed."""
    error = result.error
    return {
        "node": result.node,
        "outcome": str(result.outcome),
        "rc": result.rc,
        "signal": result.signal,
        "error": error and {"reason": error.reason, "hint": error.hint},
        "attempt": attempt,
        "unwritten": result.unwritten,
        "times": _plain_times(result.times, clock),
    }


def _plain_times(times: Times, clock: Clock) -> dict[str, Any]:
    """When each phase began; what follows from that in seconds."""
    moments: dict[str, int | None] = {}
    for phase in _PHASES:
        moment = getattr(times, phase)
        moments[phase] = None if moment is None else clock.at(moment)

    def between(first: str, last: str) -> float | None:
        begin, end = moments[first], moments[last]
        return None if begin is None or end is None else (end - begin) / 1_000_000

    return {
        **{phase: None if moment is None else stamp(moment) for phase, moment in moments.items()},
        "waiting": between("queued", "began"),
        "connecting": between("began", "connected"),
        "running": between("started", "ended"),
        "duration": between("began", "ended"),
    }


def result_from(fields: Mapping[str, Any]) -> NodeResult:
    """The result that has these fields, without output; its times are in seconds since 1970.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: they make none.
    """
    node, error = plain_text(fields["node"]), fields["error"]
    return NodeResult(
        node=node,
        outcome=Outcome(fields["outcome"]),
        rc=_number(fields["rc"]),
        signal=_number(fields["signal"]),
        error=None
        if error is None
        else NodeError(node, plain_text(error["reason"]), plain_text(error["hint"])),
        times=_times_from(fields["times"]),
        unwritten=_number(fields.get("unwritten")) or 0,
    )


def _times_from(fields: Mapping[str, Any]) -> Times:
    moments = {
        phase: moment_of(fields[phase]) / 1_000_000 for phase in _PHASES if fields.get(phase) is not None
    }
    return Times(**{"queued": 0.0, **moments})


def plain_outcomes(results: Sequence[NodeResult]) -> dict[str, Any]:
    """How many nodes ended in each way, and which."""
    found: dict[str, list[str]] = {str(outcome): [] for outcome in Outcome}
    for result in results:
        found[str(result.outcome)].append(result.node)
    return {
        "targets": len(results),
        "outcomes": {outcome: len(names) for outcome, names in found.items() if names},
        "nodes": {outcome: fold(names) for outcome, names in found.items() if names},
    }


def plain_text(value: object) -> str:
    """A text that can be written as bytes.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    value.encode(errors="surrogateescape")  # which half a character cannot be
    return value


def _number(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{value!r} is no number")
    return value
