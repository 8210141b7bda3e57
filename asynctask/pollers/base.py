"""What all pollers have in common.

A poller keeps a :class:`~asynctask.pollers.ledger.Ledger`. To poll is to bring the ledger up to date, which
may fail or be cancelled at any time and then has told nothing, and then to take out of it what there is to
tell, at once.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import ClassVar, Self, TypeVar

import anyio
import anyio.lowlevel

from asynctask.errors import PollerError, TaskStateError, UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.changes import Change, Listing
from asynctask.pollers.ledger import Ledger
from asynctask.pollers.records import PollerStatistics, Records
from asynctask.pollers.saving import check, pack, unpack
from asynctask.pollers.watching import Watch
from asynctask.waiting import wait_out

__all__ = ("DEFAULT_TIMEOUT", "MANY", "Poller", "SnapshotPoller")

T = TypeVar("T")

_log = logging.getLogger(__name__)

_HINTS = {errno.EACCES: "who runs this needs the right to read it, and to search the directories above"}

#: How many seconds a look at what is watched may take unless told otherwise.
DEFAULT_TIMEOUT = 60.0
#: How many seconds closing may take.
_CLOSING = 5.0
#: More entries than this are gone through in a thread: the loop would have to wait for it.
MANY = 2000
#: So many changes are taken back in one turn of the loop.
_IN_A_ROW = 500


class Poller(ABC):
    """Finds what changes at a URL.

    One poller delivers each change once: who calls :meth:`get_new_events` while another does, waits. It
    belongs to one event loop.

    Args:
        url: what to watch, in its canonical form and without credentials.
        existing: report what is there at the start as created. Else it is the baseline. A state counts more.
        state: what :meth:`.Poller.save` returned, perhaps in another process: go on from there.
        timeout: seconds that one look may take.

    Raises:
        UsageError: the state is not one of a poller of this URL.
    """

    #: The most seconds between two tries of :meth:`watch` while it fails.
    longest_pause: ClassVar[float] = 300.0

    def __init__(
        self,
        url: str,
        *,
        existing: bool = False,
        state: bytes | None = None,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        if not timeout > 0:
            raise UsageError(f"timeout: more than 0 seconds, not {timeout}")
        if state is not None:
            check(url, state)
        self._url = url
        self._existing = existing
        self._state = state
        self._timeout = timeout
        self._ledger = Ledger()
        self._aside = Aside(f"poller of {url}")  # for what is much, not for what may hang
        self._names: list[str] = []  # of the entries in what was delivered last
        self._returned: deque[tuple[list[str], list[Change]]] = deque()  # what was delivered and came back
        self._started = False
        self._turn = asyncio.Lock()  # held by who changes the ledger
        self._scopes: set[anyio.CancelScope] = set()  # of who waits for something
        self._closed = False
        self._ending: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()
        self._records = Records(url)

    # -- what kinds of pollers differ in ----------------------------------------------------------

    async def _open(self) -> None:
        """Get ready for the first look. May be called again after it, or the look, has failed."""
        return

    @abstractmethod
    async def _refresh(self) -> None:
        """Bring the ledger up to date. Nobody else changes it meanwhile.

        Raises:
            PollerError: what is watched cannot be seen.

        It may be cancelled anywhere, and the ledger must then lack what is new, not have it wrong.
        """

    async def _wait(self, seconds: float) -> None:
        """Wait until something may have changed, at most so long."""
        await self._sleep(seconds)

    def _subject(self, name: str) -> str:
        """The URL of an entry, quoted. Any thread may ask."""
        raise NotImplementedError

    async def _close(self) -> None:
        """Give back what it holds. Called once, when nothing of it runs; has 5 seconds."""
        return

    # -- what users call --------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """What is watched, without credentials."""
        return self._url

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    async def start(self) -> None:
        """Take down what is there: what changes from now on is reported. Starting again does nothing.

        Raises:
            PollerError: what is to be watched is missing or cannot be seen; it may be tried again.
            UsageError: the state is damaged.
            TaskStateError: the poller is closed.

        Cancelling leaves it as it was.
        """
        with self._period():
            async with self._turn:
                await self._begin()

    async def get_new_events(self) -> list[Change]:
        """Everything that has changed since the last call; an empty list if nothing. The first call starts.

        What lies in a directory is reported created after it and deleted before it.

        Raises:
            PollerError: what is watched cannot be seen. Nothing is lost by that.
            TaskStateError: the poller is closed.

        Cancelling loses nothing: the next call has it.
        """
        with self._period():
            async with self._turn:
                await self._look()
                changes = await self._deliver()
        return changes

    def watch(self, *, interval: float = 1.0, debounce: float = 0.0) -> Watch:
        """Watch for changes: ``async for changes in poller.watch()``. It ends when the poller is closed.

        What is temporary does not end it: it is recorded in the log once, and tried again after longer and
        longer pauses. Changes count as delivered when a batch is handed out, so a state that is saved in the
        body of the loop has the batch.

        Args:
            interval: seconds from one look to the next; pollers that are told by the system look at once.
            debounce: hold a batch back until nothing has changed for so many seconds, and ten times as
                long at most.

        Raises:
            PollerError: (while iterating) trying again cannot help.
            UsageError: a value that makes no sense.
        """
        return Watch(self, interval=interval, debounce=debounce)

    async def save(self) -> bytes:
        """What was delivered until now, for ``state=`` of a later poller of the same URL.

        That one reports what has changed since: nothing is missed, nothing is repeated.

        Raises:
            TaskStateError: the poller has neither been started nor been given a state: it knows nothing yet.
            PollerError: no thread can be started; it may be tried again.

        Cancelling changes nothing. A closed poller can still be saved.
        """
        async with self._turn:
            if not self._started:
                if self._state is None:
                    raise TaskStateError(f"{self._url}: a poller is saved after it was started")
                return self._state
            await self._enter_returned()
            if len(self._ledger) + self._ledger.open <= MANY:
                return pack(self._url, self._ledger.delivered())
            return await self._in_thread(lambda: pack(self._url, self._ledger.delivered()))

    async def aclose(self) -> None:
        """End it. Who waits for it gets a ``TaskStateError``; a watch ends. Closing again does nothing.

        Takes 5 seconds at most, cancelled or not. A thread that hangs in the file system is left to itself.
        """
        self._begin_to_end()
        await wait_out(self._ended)

    def statistics(self) -> PollerStatistics:
        """Counters, now."""
        pending = self._ledger.open + sum(len(names) for names, _ in self._returned) if self._started else 0
        return self._records.statistics(len(self._ledger), pending)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "started" if self._started else "new"
        return f"<{type(self).__name__} {self._url} {state}>"

    # -- inside; Watch uses these, too ------------------------------------------------------------

    async def _begin(self) -> None:
        if self._started:
            return
        known = await self._in_thread(self._known) if self._state else {}
        self._ledger.adopt(Ledger(known))
        await self._bounded_refresh(first=True)
        if self._state is None and not self._existing:
            self._ledger.settle()
        self._state = None
        self._started = True

    def _known(self) -> Listing:
        assert self._state is not None
        return unpack(self._url, self._state)

    async def _look(self) -> None:
        """Bring the ledger up to date; who calls has the turn."""
        await self._enter_returned()
        if self._started:
            await self._bounded_refresh()
        else:
            await self._begin()

    async def _deliver(self) -> list[Change]:
        """What there is to tell, which is delivered with that; who calls has the turn."""
        if self._ledger.open <= MANY:
            names, changes = self._changes()
        else:
            names, changes = await self._in_thread(self._changes)
        self._ledger.settle()
        self._records.delivered(changes)
        self._names = names
        return changes

    def _changes(self) -> tuple[list[str], list[Change]]:
        told = self._ledger.changes()
        return [name for name, _ in told], [Change(self._subject(name), event) for name, event in told]

    def _take_back(self, names: list[str], changes: list[Change]) -> None:
        """Changes, and the names of their entries, that were delivered and have not arrived."""
        self._records.delivered(changes, -1)
        if names:
            self._returned.append((names, changes))

    async def _enter_returned(self) -> None:
        while self._returned:
            names, changes = self._returned[0]
            for _ in range(min(_IN_A_ROW, len(names))):
                self._ledger.untold(names.pop(), changes.pop().event)
            if not names:
                self._returned.popleft()
            await anyio.lowlevel.checkpoint()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Do what is much, besides the loop.

        Raises:
            PollerError: no thread can be started.
        """
        try:
            return await self._aside.do(work)
        except OSError as exc:
            raise self._cannot_look(exc) from exc

    def _cannot_look(self, error: OSError) -> PollerError:
        hint = _HINTS.get(error.errno or 0, "")
        return PollerError(self._url, f"cannot be looked at: {error.strerror or error}", hint)

    async def _bounded_refresh(self, *, first: bool = False) -> None:
        self._records.begins()
        try:
            with anyio.fail_after(self._timeout):
                if first:
                    await self._open()
                await self._refresh()
        except TimeoutError as exc:
            error = PollerError(self._url, f"no answer within {self._timeout:g} s")
            self._records.failed(error)
            raise error from exc
        except PollerError as exc:
            self._records.failed(exc)
            raise
        self._records.went_well()

    def _note_unreadable(self, reasons: Mapping[str, str]) -> None:
        """Record what cannot be looked into: all such entries now, and why. It is logged once."""
        self._records.unreadable(reasons, self._subject)

    async def _sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    @contextmanager
    def _period(self) -> Iterator[None]:
        """Closing ends what is done inside, with a TaskStateError."""
        if self._closed:
            raise TaskStateError(f"{self._url}: the poller is closed")
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                yield
            finally:
                self._scopes.discard(scope)
        if scope.cancelled_caught:
            raise TaskStateError(f"{self._url}: the poller was closed")

    def _begin_to_end(self) -> None:
        self._closed = True
        for scope in self._scopes:
            scope.cancel()
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name=f"end of the poller of {self._url}")

    async def _end(self) -> None:
        try:
            with anyio.move_on_after(_CLOSING):
                async with self._turn:
                    await self._close()
        except Exception:
            _log.exception("%s: closing failed", self._url)
        finally:
            self._ended.set()


class SnapshotPoller(Poller):
    """A poller that lists everything at each look. A subclass says how, and what the URL of an entry is."""

    @abstractmethod
    async def _list(self) -> Listing:
        """Everything that there is now: all of it, or an error.

        Raises:
            PollerError: it cannot be had.
        """

    async def _refresh(self) -> None:
        listing = await self._list()
        ledger = self._ledger
        if len(listing) + len(ledger) <= MANY:
            ledger.replace(listing)
        else:
            ledger.adopt(await self._in_thread(lambda: ledger.replaced(listing)))
