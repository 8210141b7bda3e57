"""Carries out ``asynctask run``: the task, what is shown of it, signals, the exit status."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from asynctask.cli.display import LiveDisplay, fold, show_by_node, show_gathered
from asynctask.cli.screen import Screen
from asynctask.cli.stdin import SharedInput, piped
from asynctask.cli.summary import exit_status, failure_lines
from asynctask.ssh.options import SSHOptions
from asynctask.task import Task
from asynctask.workers.registry import worker_class

__all__ = ("Request", "execute", "run_loop")

EXIT_ERROR = 1
_EXIT_SIGNAL = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user wants, after the options were read."""

    command: str
    targets: tuple[str, ...]
    fanout: int = 64
    connect_timeout: float = 10.0
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
    """Run it; the exit status."""
    _raise_descriptor_limit()
    return run_loop(_Execution(request).run())


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine on uvloop where there is one, else on asyncio's own loop."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)


class _Execution:
    """One command line's run."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._task = Task(fanout=request.fanout)
        self._caught: signal.Signals | None = None

    async def run(self) -> int:
        request, task = self._request, self._task
        self._screen = Screen(None if request.quiet else self._status, task.abort)
        loop = asyncio.get_running_loop()
        try:
            for number in _SIGNALS:
                loop.add_signal_handler(number, self._interrupted, number)
            async with task:
                self._schedule()
                await task.run()
                await self._report()
        finally:
            await self._screen.close()
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        return self._exit_status()

    def _schedule(self) -> None:
        request = self._request
        live = None
        if not request.at_end or request.verbose:
            live = LiveDisplay(self._screen, label=not request.no_label)
        ssh: dict[str, Any] = {}
        if worker_class(request.worker).remote:
            ssh["ssh"] = SSHOptions(config=request.ssh_config, user=request.user, host_keys=request.host_keys)
        self._task.shell(
            request.command,
            nodes=request.targets,
            worker=request.worker,
            handler=live,
            timeout=request.command_timeout,
            connect_timeout=request.connect_timeout,
            stderr=not request.gather_both,
            stdin=None if request.nostdin or not piped() else SharedInput(),
            gather=request.at_end,
            **ssh,
        )

    # -- what is shown ----------------------------------------------------------------------------

    def _status(self) -> str:
        counts = self._task.statistics()
        if counts is None:
            return ""
        failed = sum(1 for result in self._task.result.all() if not result.ok)
        total = counts.pending + counts.active + counts.done
        text = f"asynctask: {counts.done}/{total} done, {counts.active} running"
        if failed:
            text += f", {failed} failed"
        if counts.active and counts.done * 10 >= total * 9:  # the last ones: say who
            text += f": {fold(self._task.active_nodes())}"
        return text[:200]

    async def _report(self) -> None:
        request, screen = self._request, self._screen
        screen.end_status()
        results = self._task.result.all()
        label = not request.no_label
        if request.by_node:
            await show_by_node(screen, results, label=label)
        elif request.at_end:
            await show_gathered(screen, results, label=label, count=not request.quiet)
        if screen.broken or (request.quiet and request.maxrc):
            return
        for line in failure_lines(results, every=request.verbose):
            screen.say(f"asynctask: {line}")
        if request.verbose and self._caught is None:
            screen.say(f"asynctask: {self._task.result.summary()}")

    # -- how it ends ------------------------------------------------------------------------------

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal stops the run in order, another one gives it no more time."""
        if self._caught is None:
            self._caught = number
            nodes = self._task.active_nodes()
            what = f"stopping {len(nodes)} nodes that still run: {fold(nodes)}" if nodes else "stopping"
            self._screen.say(f"asynctask: {signal.Signals(number).name}: {what}")
            self._task.abort()
        else:
            self._screen.say("asynctask: killing what is left")
            self._task.abort(kill=True)

    def _exit_status(self) -> int:
        if self._caught is not None:
            return _EXIT_SIGNAL + self._caught
        if self._screen.broken:
            return EXIT_ERROR
        return exit_status(self._task.result.all()) if self._request.maxrc else 0


def _raise_descriptor_limit() -> None:
    """A connection or a process takes descriptors: use all that we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # some systems report more than they grant
            return
