"""What the tests of rules share: a poller that finds what a test says, and short ways to make things."""

from __future__ import annotations

import asyncio
from typing import Any

from asynctask.errors import PollerError
from asynctask.pollers.base import SnapshotPoller
from asynctask.pollers.changes import Change, Kind, Listing, file_url
from asynctask.rules.happening import Happening
from asynctask.rules.model import Rule

__all__ = ("HOSTILE", "FakePoller", "happening", "rule")

#: Names that a careless program would take for something else.
HOSTILE = (
    "a b",
    "-rf",
    "'quote'",
    '"double"',
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned;",
    "new\nline; touch pwned",
    "%h %n %{url} %%",
    "*?[a]",
    "back\\slash",
    "\udcff\udcfe",
    "#comment",
)


class FakePoller(SnapshotPoller):
    """Finds what a test puts."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self.listing: Listing = {}
        self.error: PollerError | None = None
        self._news = asyncio.Event()

    async def _list(self) -> Listing:
        if self.error is not None:
            raise self.error
        return dict(self.listing)

    def _subject(self, name: str) -> str:
        return file_url(f"/inbox/{name}")

    async def _wait(self, seconds: float) -> None:
        await self._news.wait()
        self._news.clear()

    def put(self, *names: str, version: int = 1) -> None:
        """Files are there now."""
        self.listing.update((name, ("file", version)) for name in names)
        self._news.set()


def rule(run: str = "true", when: str = "poller.inbox", **settings: Any) -> Rule:
    """A rule."""
    return Rule(**{"name": "r", "when": (when,), "run": run, **settings})


def happening(name: str = "x", event: Kind = "created", **settings: Any) -> Happening:
    """A change of a file in /inbox."""
    change = Change(file_url(f"/inbox/{name}"), event)
    return Happening(topic=f"poller.inbox.{event}", change=change, **settings)
