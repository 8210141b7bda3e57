"""Environment variables of a command: by requests where the server accepts them, by a prefix where not."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncssh
from asyncssh.packet import String

from asynctask.errors import UsageError

__all__ = ("MARK", "Request", "Variables", "checked", "for_any_shell", "with_variables")

#: The variable that tells the commands of one connection apart. Servers mostly take ``LC_*``.
MARK = "LC_ASYNCTASK"
#: How many variables are sent by requests; OpenSSH takes 128 in a session and drops the others.
_MOST_REQUESTS = 100
#: Characters of a value in a request: OpenSSH cuts the connection at a packet of 256 KiB.
_MOST_VALUE = 32768

#: Bytes of a script in one word. csh takes words of 1024 characters, of which a byte may need four.
_PIECE = 200

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ACCEPTED = "asynctask_accepted_env"
# What stays as it is in the argument of printf, in double quotes in single quotes, in each shell.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-+./:,=@")

#: asyncssh's way to make a request on a channel and wait for its answer.
Request = Callable[..., Awaitable[bool | None]]


def checked(env: Mapping[str, str]) -> dict[str, str]:
    """A copy of ``env``.

    Raises:
        UsageError: a name that is none for a shell, asynctask's own, or a value that is no text or holds NUL.
    """
    for name, value in env.items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise UsageError(f"env: {name!r} cannot be the name of a variable: letters, digits and _")
        if name == MARK:
            raise UsageError(f"env: {name} is asynctask's own")
        if not isinstance(value, str) or "\0" in value:
            raise UsageError(f"env: the value of {name} must be text without NUL characters")
    return dict(env)


def for_any_shell(script: str) -> str:
    """A command that has ``sh`` run a script, whichever the login shell is: no process more.

    Shells differ in what quotes, backslashes, ``!`` and line breaks mean, so none of them is in it, and in
    how long a word may be, so it comes in pieces.
    """
    octal = [
        chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in script.encode(errors="surrogateescape")
    ]
    pieces = ["".join(octal[at : at + _PIECE]) for at in range(0, len(octal), _PIECE)]
    words = "' '".join(pieces)
    return f"exec sh -c 'eval \"$(IFS=; printf \"$*\")\"' sh '{words}'"


def with_variables(command: str, env: Mapping[str, str]) -> str:
    """A command for any login shell that has that shell run ``command`` with these variables."""
    if not env:
        return command
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in env.items())
    return for_any_shell(f'exec env {settings} "${{SHELL:-/bin/sh}}" -c {shlex.quote(command)}')


class Variables:
    """The variables of one command.

    Args:
        env: what the command must have; checked.
        wished: what it gets where the server accepts it, as with OpenSSH's ``SetEnv``.
        mark: the value of :data:`MARK`, if it is to have one.
    """

    def __init__(
        self,
        env: Mapping[str, str] | None = None,
        wished: Mapping[str, str] | None = None,
        mark: str | None = None,
    ) -> None:
        own = {} if mark is None else {MARK: mark}  # the first: in a prefix it must be in one piece
        self._needed = {**own, **checked(env or {})}
        self._wished = {
            name: value for name, value in (wished or {}).items() if name not in self._needed and name != MARK
        }

    async def send(self, channel: asyncssh.SSHClientChannel[bytes], request: Request) -> dict[str, str]:
        """Send them in one go, and wait for the answers.

        Which names a server accepts is asked once a connection.

        Returns:
            What the server did not accept of what is needed.
        """
        known = accepted_names(channel.get_connection())
        asked: dict[str, Awaitable[bool | None]] = {}
        refused: dict[str, str] = {}
        for number, (name, value) in enumerate(self._needed.items()):
            accepted = known.get(name)
            if accepted is False or number >= _MOST_REQUESTS or len(value) > _MOST_VALUE:
                refused[name] = value
            elif accepted:
                _tell(channel, name, value)
            else:
                asked[name] = request(b"env", *_fields(name, value))
        for name, value in self._wished.items():
            if len(value) <= _MOST_VALUE:
                _tell(channel, name, value)
        answers = await asyncio.gather(*asked.values())
        for name, accepted in zip(asked, answers, strict=True):
            if not accepted:
                refused[name] = self._needed[name]
            if not channel.is_closing():  # else nobody has refused anything
                known[name] = bool(accepted)
        return refused


def accepted_names(connection: Any) -> dict[str, bool]:
    """What is known of a connection's server: which variables it accepts. Kept with the connection."""
    known: dict[str, bool] | None = connection.get_extra_info(_ACCEPTED)
    if known is None:
        known = {}
        connection.set_extra_info(**{_ACCEPTED: known})
    return known


def _fields(name: str, value: str) -> tuple[bytes, bytes]:
    return String(name.encode()), String(value.encode(errors="surrogateescape"))


def _tell(channel: Any, name: str, value: str) -> None:
    channel._send_request(b"env", *_fields(name, value))
