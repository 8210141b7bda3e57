"""A connection that a pool holds, and who uses it."""

from __future__ import annotations

import secrets
from time import monotonic

from asynctask.ssh.connection import Connection
from asynctask.ssh.routes import Route
from asynctask.waiting import Places

__all__ = ("Held",)

_MARK_BYTES = 8


class Held:
    """A connection with its users: sessions, and connections that go through it.

    Args:
        route: where it leads.
        connection: logged in.
        via: what it goes through, as long as it is open.
        sessions: how many sessions it may have at a time.
    """

    def __init__(self, route: Route, connection: Connection, via: Held | None, sessions: int) -> None:
        self.route = route
        self.connection = connection
        self.via = via
        self.sessions = 0
        """How many have a place on it, or wait for one."""
        self.passengers = 0
        """How many connections go through it."""
        self.is_bastion = False
        """Whether any ever did."""
        self.used = False
        """Whether it was used before; it may have broken since."""
        self.discarded = False
        """Whether nothing more is to be started on it."""
        self.closed = False
        self.idle_since = monotonic()
        self._places = Places(sessions)
        self._most = sessions
        self._unmarked = False  # whether a session goes on that has no mark

    @property
    def is_busy(self) -> bool:
        """Whether somebody uses it."""
        return bool(self.sessions or self.passengers)

    @property
    def is_usable(self) -> bool:
        """Whether something more can be started on it."""
        return not self.discarded and not self.closed and not self.connection.is_over

    def discard(self) -> None:
        """Have nothing more started on it, nor on what it goes through, which may be what is broken."""
        self.discarded = True
        if self.via is not None:
            self.via.discard()

    @property
    def depth(self) -> int:
        """Through how many others it goes."""
        return 0 if self.via is None else self.via.depth + 1

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return self._places.waiting

    @property
    def with_place(self) -> int:
        """How many sessions have a place."""
        return self.sessions - self._places.waiting

    async def begin_session(self) -> str | None:
        """Wait for a place for a session and take it.

        Returns:
            The session's mark: ``None`` for one at a time, a text of its own for each of the others.
        """
        self.sessions += 1
        try:
            await self._places.take()
        except BaseException:
            self.sessions -= 1
            raise
        if self._unmarked:
            return secrets.token_hex(_MARK_BYTES)
        self._unmarked = True
        return None

    def end_session(self, mark: str | None) -> None:
        """Give the place of a session back."""
        self.sessions -= 1
        self.used = True
        self.idle_since = monotonic()
        if mark is None:
            self._unmarked = False
        self._places.give()

    def refuse_session(self, mark: str | None) -> None:
        """The server took no session beside the others: there are no more places than theirs."""
        self.sessions -= 1
        if mark is None:
            self._unmarked = False
        least = max(1, self.with_place)
        while self._most > least and self._places.take_nowait():
            self._most -= 1
        if self._most > least:
            self._most -= 1  # its own
        else:
            self._places.give()
