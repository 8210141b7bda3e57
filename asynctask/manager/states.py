"""The states of a supervised process, as a table. Nothing here waits, or knows of processes."""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final

from asynctask.errors import TaskStateError

__all__ = ("ACTIVE", "TRANSITIONS", "Happening", "ProcessState", "after", "markdown_table")


class ProcessState(Enum):
    """Where one place of a template is."""

    STOPPED = "stopped"
    """Nothing runs, and nothing is to."""
    STARTING = "starting"
    """It is being started, or is not ready yet."""
    RUNNING = "running"
    """It is ready."""
    BACKOFF = "backoff"
    """It is to be started again, later."""
    STOPPING = "stopping"
    """It was asked to stop, and some of it is left."""
    EXITED = "exited"
    """It ended by itself, and its policy says that this is that."""
    FATAL = "fatal"
    """It was given up."""


class Happening(Enum):
    """What changes a state."""

    START = "start"
    """Somebody wants it to run."""
    READY = "ready"
    """It is ready."""
    AGAIN = "again"
    """It ended, and is started again at once."""
    LATER = "later"
    """It ended, or could not be started; it is tried again after a while."""
    DONE = "done"
    """It ended, and is not started again."""
    GIVE_UP = "give up"
    """It ended or failed too often."""
    STOP = "stop"
    """It is to be stopped."""
    GONE = "gone"
    """What was stopped has ended."""


_S, _H = ProcessState, Happening

#: From a state, by what happens, to the next. What is not in here cannot happen.
TRANSITIONS: Final = MappingProxyType(
    {
        _S.STOPPED: MappingProxyType({_H.START: _S.STARTING}),
        _S.STARTING: MappingProxyType(
            {
                _H.READY: _S.RUNNING,
                _H.LATER: _S.BACKOFF,
                _H.DONE: _S.EXITED,
                _H.GIVE_UP: _S.FATAL,
                _H.STOP: _S.STOPPING,
            }
        ),
        _S.RUNNING: MappingProxyType(
            {
                _H.AGAIN: _S.STARTING,
                _H.LATER: _S.BACKOFF,
                _H.DONE: _S.EXITED,
                _H.GIVE_UP: _S.FATAL,
                _H.STOP: _S.STOPPING,
            }
        ),
        _S.BACKOFF: MappingProxyType({_H.START: _S.STARTING, _H.STOP: _S.STOPPED}),
        _S.STOPPING: MappingProxyType(
            {
                _H.AGAIN: _S.STARTING,
                _H.LATER: _S.BACKOFF,
                _H.DONE: _S.EXITED,
                _H.GIVE_UP: _S.FATAL,
                _H.GONE: _S.STOPPED,
            }
        ),
        _S.EXITED: MappingProxyType({_H.START: _S.STARTING, _H.STOP: _S.STOPPED}),
        _S.FATAL: MappingProxyType({_H.START: _S.STARTING, _H.STOP: _S.STOPPED}),
    }
)

#: In these there is a process, or will be one without anybody asking.
ACTIVE: Final = frozenset({_S.STARTING, _S.RUNNING, _S.BACKOFF, _S.STOPPING})


def after(state: ProcessState, happening: Happening) -> ProcessState:
    """The state after a happening.

    Raises:
        TaskStateError: this cannot happen there.
    """
    try:
        return TRANSITIONS[state][happening]
    except KeyError:
        raise TaskStateError(f"a process that is {state.value}: {happening.value!r} cannot happen") from None


def markdown_table() -> str:
    """The table as the documentation has it."""
    happenings = list(Happening)
    lines = [
        "| | " + " | ".join(each.value for each in happenings) + " |",
        "|---" * (len(happenings) + 1) + "|",
    ]
    for state in ProcessState:
        cells = [TRANSITIONS[state].get(each) for each in happenings]
        lines.append(f"| **{state.value}** | " + " | ".join(c.value if c else "" for c in cells) + " |")
    return "\n".join(lines)
