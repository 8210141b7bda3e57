"""What goes over a control socket: JSON objects, one a line, in both directions.

The manager speaks first: ``{"asynctask": <version of the protocol>, "version", "name", "pid"}``. Then there
are requests, answered in any order:

* ``{"id": 1, "do": "scale", "params": {...}}``; ``"v"`` besides, the version of the protocol, if it is to
  be checked. The answer is ``{"id": 1, "result": {...}}`` or ``{"id": 1, "error": {"type", "text"}}``.
* ``{"id": 2, "follow": "events", "params": {...}}`` is answered with any number of
  ``{"id": 2, "item": {...}}`` and ``{"id": 2, "end": true}``, or an error; ``{"cancel": 2}`` ends it.

While something is going on, ``{"alive": true}`` comes every few seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from asynctask import errors
from asynctask._version import __version__
from asynctask.errors import AsyncTaskError, ManagerError, UsageError

__all__ = (
    "HEARTBEAT",
    "MOST_ANSWER",
    "MOST_REQUEST",
    "VERSION",
    "Cancel",
    "Request",
    "check_hello",
    "decode",
    "encode",
    "error_of",
    "failure",
    "hello",
    "request_of",
)

#: Another number is another language.
VERSION: Final = 1
#: Bytes of a line, at most: of a request, and of an answer.
MOST_REQUEST: Final = 1 << 20
MOST_ANSWER: Final = 1 << 26
#: Seconds between two signs of life.
HEARTBEAT: Final = 5.0

#: Errors that keep their type on the way.
_TYPES = {
    each.__name__: each
    for each in (
        errors.ManagerError,
        errors.ProcessNotFoundError,
        errors.TemplateConflictError,
        errors.TemplateError,
        errors.TemplateNotFoundError,
        errors.UsageError,
    )
}


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for."""

    id: int | str | None
    name: str
    """Of the operation, or of the stream."""
    follows: bool
    """Whether it is a stream."""
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cancel:
    """A request is not interesting any more."""

    id: int | str | None


def encode(message: Mapping[str, Any]) -> bytes:
    """A line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """What a line says.

    Raises:
        UsageError: it is no JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise UsageError("no JSON object in a line") from exc
    if not isinstance(message, dict):
        raise UsageError("no JSON object in a line")
    return message


def request_of(message: Mapping[str, Any]) -> Request | Cancel:
    """What a message of a client means.

    Raises:
        UsageError: nothing.
    """
    if (spoken := message.get("v", VERSION)) != VERSION:
        raise UsageError(
            f"this manager speaks version {VERSION} of the protocol, and was asked in {_short(spoken)}"
        )
    if "cancel" in message:
        return Cancel(_id(message["cancel"]))
    kinds = [kind for kind in ("do", "follow") if kind in message]
    if len(kinds) != 1:
        raise UsageError('a request has either "do" or "follow"')
    name, params = message[kinds[0]], message.get("params")
    if not isinstance(name, str):
        raise UsageError(f'"{kinds[0]}" is the name of what is asked for, not {_short(name)}')
    if params is not None and not isinstance(params, dict):
        raise UsageError(f'"params" is an object, not {_short(params)}')
    return Request(_id(message.get("id")), name, kinds[0] == "follow", params or {})


def hello(name: str, pid: int) -> dict[str, Any]:
    """How a manager introduces itself."""
    return {"asynctask": VERSION, "version": __version__, "name": name, "pid": pid}


def check_hello(message: Mapping[str, Any]) -> None:
    """Whether a manager introduced itself that can be talked to.

    Raises:
        ManagerError: not so, and why.
    """
    if "error" in message:
        raise error_of(message["error"])
    if "asynctask" not in message:
        raise ManagerError("who listens there is no manager of asynctask")
    if message["asynctask"] != VERSION:
        raise ManagerError(
            f"the manager speaks version {_short(message['asynctask'])} of the protocol (asynctask"
            f" {_short(message.get('version'))}), and this is version {VERSION} (asynctask {__version__}):"
            " restart it, or use its own command"
        )


def failure(exc: BaseException) -> dict[str, str]:
    """An error on its way."""
    if isinstance(exc, AsyncTaskError):
        known = next((each.__name__ for each in type(exc).__mro__ if each.__name__ in _TYPES), "ManagerError")
        return {"type": known, "text": str(exc)}
    return {"type": "ManagerError", "text": f"internal error: {type(exc).__name__}: {exc}"}


def error_of(said: object) -> AsyncTaskError:
    """The error that arrived."""
    if not isinstance(said, dict):
        return ManagerError(f"an error that cannot be understood: {_short(said)}")
    return _TYPES.get(str(said.get("type")), ManagerError)(str(said.get("text")))


def _id(value: object) -> int | str | None:
    if value is None or (
        isinstance(value, int | str) and not isinstance(value, bool) and len(str(value)) <= 64
    ):
        return value
    raise UsageError(f"an id is a number or a string of at most 64 characters, not {_short(value)}")


def _short(value: object) -> str:
    shown = json.dumps(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
