"""Between two batches: whether the next one begins."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from asynctask.cli.control.gates import Ask, Check, Finished, pass_gate
from asynctask.cli.output.labels import Titles
from asynctask.cli.request import Request
from asynctask.cli.rolling import Batch

__all__ = ("Between",)

_STOPPED = "stopped"


class Between:
    """The gate of a run: nobody failed, or ``--halt`` says how many may; and the check went well.

    Args:
        request: the run's.
        titles: how sets of nodes are written.
        ask: asks the user about what is wrong.
        write: shows what the check prints.
        doing: told what goes on: ``checking``; empty when it is over.
    """

    def __init__(
        self,
        request: Request,
        titles: Titles,
        *,
        ask: Ask,
        write: Callable[[bytes], Awaitable[object]],
        doing: Callable[[str], object],
    ) -> None:
        self._request = request
        self._titles = titles
        self._ask = ask
        self._write = write
        self._doing = doing
        self._deciding: asyncio.Task[str | None] | None = None
        self._check: Check | None = None
        self._stopped = False

    async def __call__(self, batch: Batch) -> str | None:
        """Why the next batch does not begin; ``None`` if it does."""
        if self.is_stopped():
            return _STOPPED
        self._deciding = asyncio.ensure_future(self._decide(batch))
        try:
            return await self._deciding
        except asyncio.CancelledError:
            if self.is_stopped():
                return _STOPPED
            raise
        finally:
            self._deciding = None

    def is_stopped(self) -> bool:
        """Whether no more batch begins."""
        return self._stopped

    def stop(self, *, kill: bool = False) -> None:
        """No more batch begins; what is asked or checked now is over. With ``kill`` without a grace."""
        self._stopped = True
        if self._deciding is not None:
            self._deciding.cancel()
        if self._check is not None:
            self._check.abort(kill=kill)

    async def _decide(self, batch: Batch) -> str | None:
        failed = [result.node for result in batch.results if not result.ok]

        async def verdict() -> str | None:
            if failed and self._request.halt is None:
                return f"batch {batch.number} of {batch.count}: {self._titles.of(failed)} did not end well"
            return None

        reason = await pass_gate(verdict, self._ask, repeatable=False)
        if reason is not None or self._request.check is None:
            return reason
        return await self._pass_check(self._request.check, batch)

    async def _pass_check(self, command: str, batch: Batch) -> str | None:
        nodes = [result.node for result in batch.results]
        finished = Finished(batch.number, nodes, batch.done, batch.failed)
        check = self._check = Check(command, self._write)
        self._doing("checking")
        try:
            return await pass_gate(lambda: check.run(finished), self._ask)
        finally:
            self._doing("")
            self._check = None
