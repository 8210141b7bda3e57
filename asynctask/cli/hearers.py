"""Who hears a run: displays, files, records for programs, the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynctask.cli.output.choosing import displays
from asynctask.cli.stdin import piped
from asynctask.cli.view import View

if TYPE_CHECKING:
    from asynctask.cli.output.directories import DirectoriesView
    from asynctask.cli.output.records import RecordView
    from asynctask.cli.output.style import Style
    from asynctask.cli.past.recorder import Recorder
    from asynctask.cli.request import Request
    from asynctask.cli.screen import Screen
    from asynctask.outcome import NodeResult

__all__ = ("Hearers", "gathers")


class Hearers:
    """All of them, for one run.

    Args:
        request: the run's.
        screen: where output is shown.
        style: how.
        status: hears the run for the status line.
        resuming: the number of the run in the history that is gone on with.
        retry_of: the number of the run of which it repeats some nodes.
    """

    def __init__(
        self,
        request: Request,
        screen: Screen,
        style: Style,
        status: View,
        *,
        resuming: int | None = None,
        retry_of: int | None = None,
    ) -> None:
        self._request = request
        self._resuming = resuming
        self._records = _records(request, screen)
        self._files = _files(request, screen)
        self._attempts = _Attempts()
        self._recorder = _recorder(request, screen, resuming, retry_of) if request.history else None
        self._begun = False
        shown = displays(request, screen, request.targets, style) if self._records is None else []
        found = (status, self._attempts, *shown, self._records, self._files, self._recorder)
        self.views = [view for view in found if view is not None]
        """Each of them; the history comes last, for it is in nobody's way."""

    @property
    def attempts(self) -> dict[str, int]:
        """How many attempts there were at nodes that had several."""
        return self._attempts.counts

    @property
    def error(self) -> OSError | None:
        """Why a file of a node's output could not be written."""
        return None if self._files is None else self._files.error

    async def before_start(self, node: str) -> None:
        """A node's command is about to begin: returns when that is on record."""
        if self._recorder is not None:
            await self._recorder.before_start(node)

    async def begin(self) -> None:
        """The run begins.

        Raises:
            HistoryError: it is one that is gone on with, and cannot be recorded.
        """
        if self._recorder is not None:
            recorded = await self._recorder.begin()
            if recorded is None and self._resuming is not None:
                from asynctask.cli.past.database import HistoryError

                # The next one to go on with it would run the command on the same nodes again.
                raise HistoryError("the history cannot be written, and without it a run is not gone on with")
        self._begun = True
        if self._records is not None:
            from asynctask.cli.output.schema import RunStart

            await self._records.run_began(RunStart.of(self._request))

    async def end(self, status: int) -> None:
        """The run has ended with this exit status, or has not begun."""
        if self._records is not None and self._begun:
            await self._records.run_ended(status)
        if self._recorder is not None:
            await self._recorder.finish(status)


def gathers(request: Request) -> bool:
    """Whether output is kept until the end."""
    return request.at_end or request.json


class _Attempts(View):
    """Counts at which nodes there were several attempts."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    async def node_over(self, result: NodeResult, attempt: int) -> None:
        if attempt > 1:
            self.counts[result.node] = attempt


def _records(request: Request, screen: Screen) -> RecordView | None:
    if not (request.json or request.events):
        return None
    from asynctask.cli.output.records import EventsView, JsonView

    return EventsView(screen) if request.events else JsonView(screen)


def _files(request: Request, screen: Screen) -> DirectoriesView | None:
    if request.outdir is None and request.errdir is None:
        return None
    from asynctask.cli.output.directories import DirectoriesView

    return DirectoriesView(screen, request.outdir, request.errdir)


def _recorder(request: Request, screen: Screen, resuming: int | None, retry_of: int | None) -> Recorder:
    from asynctask.cli.past.recorder import Recorder

    return Recorder.open(
        request,
        screen.say,
        gathered=gathers(request),
        limit=request.history_limit,
        given_input=not request.nostdin and request.copying is None and piped(),
        resuming=resuming,
        retry_of=retry_of,
    )
