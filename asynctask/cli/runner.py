"""Carries out ``asynctask run``: the task, what is shown of it, signals, the exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from asynctask.cli.display import LiveDisplay, fold, show_by_node, show_gathered, title
from asynctask.cli.loop import run_loop
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.stdin import SharedInput, piped
from asynctask.cli.summary import exit_status, failure_lines
from asynctask.errors import HandlerErrors
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.workers.registry import worker_class

__all__ = ("Request", "execute")

EXIT_ERROR = 1
#: How long output may take to be read after a signal that is sent only once, in seconds.
_PATIENCE = 8.0
#: How long a reader of the output may read nothing before it is given up, in seconds, when asked to.
_STUCK = 0.5
#: How many nodes that still run are always named in the progress line.
_FEW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user wants, after the options were read."""

    command: str
    targets: tuple[str, ...]
    fanout: int = 64
    connect_timeout: float | None = None
    command_timeout: float = float("inf")
    user: str | None = None
    worker: str = "ssh"
    nostdin: bool = False
    ssh_config: str | None = None
    host_keys: Any = None
    gather: bool = False
    gather_both: bool = False
    by_node: bool = False
    no_label: bool = False
    maxrc: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def at_end(self) -> bool:
        """Whether output is shown at the end."""
        return self.gather or self.gather_both or self.by_node


def execute(request: Request) -> int:
    """Run it; the exit status.

    Raises:
        AsyncTaskError: nothing was run.
        OSError: standard output cannot be written.
    """
    logging.basicConfig(format="asynctask: %(message)s", level=logging.WARNING)
    return run_loop(_Execution(request).run())


class _Execution:
    """One command line's run."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._task = Task(fanout=request.fanout)
        self._caught: list[signal.Signals] = []
        self._total = 0
        self._faults: Sequence[Exception] = ()

    async def run(self) -> int:
        request, task = self._request, self._task
        self._screen = Screen(None if request.quiet else self._status, task.abort)
        stdin = None if request.nostdin or not piped() else SharedInput()
        with signals_handled(self._interrupted):
            try:
                async with task:
                    self._schedule(stdin)
                    try:
                        await task.run()
                    except HandlerErrors as exc:
                        self._faults = exc.exceptions
                    await self._report()
            finally:
                await self._screen.close()
                if stdin is not None:
                    stdin.close()
        return self._exit_status()

    def _schedule(self, stdin: SharedInput | None) -> None:
        request = self._request
        live = None
        if not request.at_end or request.verbose:
            live = LiveDisplay(self._screen, label=not request.no_label)
        settings: dict[str, Any] = {}
        if request.connect_timeout is not None:
            settings["connect_timeout"] = request.connect_timeout
        if worker_class(request.worker).remote:
            settings["ssh"] = SSHOptions(
                config=request.ssh_config, user=request.user, host_keys=request.host_keys
            )
        worker = self._task.shell(
            request.command,
            nodes=request.targets,
            worker=request.worker,
            handler=live,
            timeout=request.command_timeout,
            stderr=not request.gather_both,
            stdin=stdin,
            gather=request.at_end,
            **settings,
        )
        self._total = len(worker.units)

    # -- what is shown ----------------------------------------------------------------------------

    def _status(self) -> str:
        counts = self._task.statistics()
        if counts is None:
            return ""
        failed = sum(1 for result in self._task.result.all() if not result.ok)
        running = self._total - counts.done - counts.pending
        text = f"asynctask: {counts.done}/{self._total} done, {running} running"
        if failed:
            text += f", {failed} failed"
        names = fold(self._task.active_nodes())
        few = running <= _FEW or counts.done * 10 >= self._total * 9  # the last ones: say who
        if names and running and few:
            text += f": {names}"
        return text

    async def _report(self) -> None:
        request, screen = self._request, self._screen
        screen.end_status()
        results = self._task.result.all()
        label = not request.no_label
        if request.by_node:
            await show_by_node(screen, results, label=label)
        elif request.at_end:
            await show_gathered(screen, results, label=label, count=not request.quiet)
        if screen.error is not None or (request.quiet and request.maxrc):
            return
        for line in failure_lines(results, every=request.verbose):
            screen.say(f"asynctask: {line}")
        if request.verbose and not self._caught:
            screen.say(f"asynctask: {self._task.result.summary()}")
        for fault in self._faults:
            where = "; ".join(getattr(fault, "__notes__", ()))
            screen.say(f"asynctask: a fault of this program, please report it: {fault!r}; {where}")

    # -- how it ends ------------------------------------------------------------------------------

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal stops the run in order, the next gives it no more time.

        The third leaves out output that nobody reads.
        """
        self._caught.append(number)
        if len(self._caught) == 1:
            nodes = self._task.active_nodes()
            what = f"stopping what still runs: {title(nodes)}" if nodes else "stopping"
            self._screen.say(f"asynctask: {signal.Signals(number).name}: {what}")
            self._task.abort()
            if number != signal.SIGINT:  # nobody may be there to send another one
                asyncio.get_running_loop().call_later(_PATIENCE, self._screen.give_up)
        elif len(self._caught) == 2:
            self._screen.say("asynctask: killing what is left")
            self._task.abort(kill=True)
        else:
            self._give_up_when_stuck()

    def _give_up_when_stuck(self, before: int = -1) -> None:
        """Wait for the reader of the output as long as there is one."""
        progress = self._screen.progress
        if self._screen.behind and progress == before:
            self._screen.give_up()
        else:
            asyncio.get_running_loop().call_later(_STUCK, self._give_up_when_stuck, progress)

    def _exit_status(self) -> int:
        if self._caught:
            return EXIT_SIGNAL + self._caught[0]
        if self._screen.error is not None:
            raise self._screen.error
        if self._faults:
            return EXIT_ERROR
        return exit_status(self._task.result.all()) if self._request.maxrc else 0
