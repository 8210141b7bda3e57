"""Asks a running manager through its control socket, without an event loop: for commands that end soon."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from asynctask.errors import ManagerError, UsageError
from asynctask.manager.control.peer import may_command, peer_uid
from asynctask.manager.control.protocol import (
    HEARTBEAT,
    MOST_ANSWER,
    MOST_REQUEST,
    VERSION,
    check_hello,
    decode,
    encode,
    error_of,
)

__all__ = ("Client", "ManagerEndedError", "NoManagerError")

#: Seconds until a manager has introduced itself; between two signs of life while it works.
_PATIENCE = 10.0
_SILENCE = 6 * HEARTBEAT
_READ_SIZE = 1 << 16
#: Seconds between two tries when more are connecting than the manager takes at once.
_AGAIN = 0.05
_HANGS = "the manager does not answer: it hangs, or was stopped"
#: Who is not there: no socket, nobody who serves it.
_NOBODY = {errno.ENOENT, errno.ECONNREFUSED, errno.ENOTDIR}


class NoManagerError(ManagerError):
    """Nobody listens at the socket."""


class ManagerEndedError(ManagerError):
    """The manager was there, and has ended, or closed the connection."""


class Client:
    """A connection to a manager. One thread uses it; it blocks.

    Args:
        path: of the socket.
        patience: seconds until the manager must have introduced itself.
        silence: seconds without a sign of life after which it is given up while it works.

    Raises:
        NoManagerError: no manager runs there.
        ManagerEndedError: it closed the connection before it had introduced itself.
        ManagerError: it cannot be talked to, and why.
    """

    def __init__(self, path: Path, *, patience: float = _PATIENCE, silence: float = _SILENCE) -> None:
        self.path = path
        self._silence = silence
        self._buffer = bytearray()
        self._looked = 0  # up to here there is no newline in it
        self._last_id = 0
        self._socket = _connected(path, patience)
        try:
            self.hello = self._message(time.monotonic() + patience)
            check_hello(self.hello)
        except ManagerError as exc:
            self.close()
            raise type(exc)(f"{path}: {exc}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.close()

    @property
    def has_more(self) -> bool:
        """Whether something has arrived that was not read yet."""
        return bool(self._buffer)

    def close(self) -> None:
        """Leave. What was asked for is still done; streams end."""
        self._socket.close()

    def call(self, operation: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have something done, and wait for it as long as the manager shows signs of life.

        Args:
            operation: one of :data:`asynctask.manager.control.operations.OPERATIONS`, or ``"reread"``.
            params: its parameters.

        Raises:
            ManagerEndedError: there will be no answer.
            ManagerError: the manager's answer; or it does not answer any more.
            UsageError: there is no such operation, or its parameters are wrong.
        """
        for said in self._ask("do", operation, params):
            result = said.get("result")
            if isinstance(result, dict):
                return result
        raise ManagerError(f"the manager's answer to {operation} cannot be understood")

    def stream(self, name: str, params: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Follow something, until the manager ends it; raises as :meth:`call` does.

        Who leaves it early closes the client.

        Args:
            name: one of :data:`asynctask.manager.control.operations.STREAMS`.
            params: its parameters.
        """
        for said in self._ask("follow", name, params):
            if isinstance(item := said.get("item"), dict):
                yield item
            elif said.get("end"):
                return

    def _ask(self, kind: str, name: str, params: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
        """Whatever is answered to a request."""
        self._last_id += 1
        request = encode({"v": VERSION, "id": self._last_id, kind: name, "params": params or {}})
        if len(request) > MOST_REQUEST:
            raise UsageError(f"{name}: a request may have {MOST_REQUEST} bytes: send less at once")
        try:
            self._socket.settimeout(self._silence)
            self._socket.sendall(request)
        except TimeoutError:
            raise ManagerError(_HANGS) from None
        except OSError as exc:
            raise ManagerEndedError(f"the manager has gone: {exc.strerror or exc}") from exc
        while True:
            said = self._message(time.monotonic() + self._silence)
            if "error" in said and said.get("id") in (None, self._last_id):
                raise error_of(said["error"])
            if said.get("id") == self._last_id:
                yield said

    def _message(self, deadline: float) -> dict[str, Any]:
        """The next message."""
        while (end := self._buffer.find(b"\n", self._looked)) < 0:
            self._looked = len(self._buffer)
            if self._looked > MOST_ANSWER:
                raise ManagerError("the manager's answer is endless")
            self._buffer += self._chunk(deadline)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._looked = 0
        try:
            return decode(line)
        except UsageError:
            raise ManagerError("who listens there is no manager of asynctask") from None

    def _chunk(self, deadline: float) -> bytes:
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            chunk = self._socket.recv(_READ_SIZE)
        except TimeoutError:
            raise ManagerError(_HANGS) from None
        except OSError as exc:
            raise ManagerEndedError(f"the manager has gone: {exc.strerror}") from exc
        if not chunk:
            raise ManagerEndedError("the manager ended before it had answered")
        return chunk


def _connected(path: Path, patience: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _connect(sock, path, patience)
        uid = peer_uid(sock)
    except OSError as exc:
        sock.close()
        if exc.errno in _NOBODY:
            text = f"no manager runs here (nobody listens at {path}): start one with 'asynctask up'"
            raise NoManagerError(text) from exc
        reason = "it does not answer" if isinstance(exc, TimeoutError) else exc.strerror
        raise ManagerError(f"{path}: {reason}") from exc
    except BaseException:
        sock.close()
        raise
    if not may_command(uid) and os.geteuid() != 0:
        sock.close()
        raise ManagerError(f"{path}: another user (uid {uid}) listens there")
    return sock


def _connect(sock: socket.socket, path: Path, patience: float) -> None:
    """Connect; while too many others do, try again."""
    deadline = time.monotonic() + patience
    sock.settimeout(patience)
    while True:
        try:
            sock.connect(os.fspath(path))
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise TimeoutError from None
            time.sleep(_AGAIN)
        else:
            return
