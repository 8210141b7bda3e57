"""The control socket of a manager: who may connect, and that there is only one."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from asynctask.errors import ManagerError
from asynctask.manager.control.listening import UnixListener
from asynctask.manager.control.operations import Reread
from asynctask.manager.control.peer import may_command, peer_uid
from asynctask.manager.control.place import make_private
from asynctask.manager.control.protocol import MOST_REQUEST, encode, failure
from asynctask.manager.control.session import Session

if TYPE_CHECKING:
    from asynctask.manager.manager import Manager

__all__ = ("ControlServer",)

_log = logging.getLogger(__name__)

#: Clients at once.
_MOST_CLIENTS = 64
_BACKLOG = 128
#: Seconds that clients have to be let go of.
_CLOSING = 3.0


class ControlServer:
    """Serves a manager on a Unix socket, to its own user and root.

    While it is open a lock beside the socket is held, so that a socket which a dead manager left behind can
    be told from one that is served.

    Args:
        manager: who is asked.
        path: of the socket; see :func:`asynctask.manager.control.place.socket_path`.
        reread: reads the file of the templates again, for ``asynctask reload`` without names; ``None``: there
            is no file.
    """

    def __init__(self, manager: Manager, path: Path, *, reread: Reread | None = None) -> None:
        self.path = path
        self._manager = manager
        self._reread = reread
        self._lock = -1
        self._listener: UnixListener | None = None
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Listen.

        Raises:
            ManagerError: a manager listens there already, or there cannot be a socket, and why.
        """
        make_private(self.path)
        self._lock = _locked(self.path)
        try:
            self._listener = UnixListener(self.path)
            try:
                self._server = await asyncio.start_unix_server(
                    self._connected, sock=self._listener.sock, limit=MOST_REQUEST, backlog=_BACKLOG
                )
            except BaseException:
                self._listener.sock.close()
                raise
        except BaseException:
            self._leave()
            raise

    async def aclose(self) -> None:
        """Listen no more, and leave all clients; what they asked for and is not done is broken off.

        Takes ``3`` seconds at most. Closing again does nothing.
        """
        if self._server is not None:
            self._server.close()
            self._server = None
        try:
            for client in self._clients:
                client.cancel()
            if self._clients:
                with anyio.move_on_after(_CLOSING, shield=True):
                    await asyncio.wait(self._clients)
        finally:
            self._leave()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if problem := self._objection(writer):
            _log.warning("control: a client is refused: %s", problem)
            writer.write(encode({"error": failure(ManagerError(problem))}))
            writer.close()
            return
        session = Session(self._manager, self._reread, reader, writer)
        client = asyncio.get_running_loop().create_task(session.run(), name="asynctask control client")
        self._clients.add(client)
        client.add_done_callback(self._gone)

    def _objection(self, writer: asyncio.StreamWriter) -> str | None:
        """Why somebody may not come in."""
        try:
            uid = peer_uid(writer.get_extra_info("socket"))
        except OSError as exc:
            return f"the system does not tell who connects: {exc.strerror}"
        if not may_command(uid):
            return f"this manager belongs to another user (uid {os.geteuid()}), not to you (uid {uid})"
        if len(self._clients) >= _MOST_CLIENTS:
            return f"{_MOST_CLIENTS} clients at once are enough: try again later"
        return None

    def _gone(self, client: asyncio.Task[None]) -> None:
        self._clients.discard(client)
        if not client.cancelled() and (exc := client.exception()) is not None:
            _log.error("control: a client broke off", exc_info=exc)

    def _leave(self) -> None:
        """Remove what is ours: the socket, and the lock."""
        if self._listener is not None:
            self._listener.remove()
            self._listener = None
        if self._lock >= 0:
            with suppress(OSError):
                _lock_path(self.path).unlink()
            os.close(self._lock)
            self._lock = -1


def _lock_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.lock")


def _locked(path: Path) -> int:
    """A descriptor that holds the lock beside a socket; the kernel lets go of it when we die."""
    place = _lock_path(path)
    while True:
        try:
            lock = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as exc:
            raise ManagerError(f"{place}: {exc.strerror}") from exc
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_there(lock, place):
                return lock
        except BlockingIOError:
            os.close(lock)
            raise ManagerError(
                f"{path}: a manager runs here already; see 'asynctask status', or choose another --socket"
            ) from None
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # a manager that ended meanwhile has removed the file


def _is_there(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.lstat())
    except FileNotFoundError:
        return False
