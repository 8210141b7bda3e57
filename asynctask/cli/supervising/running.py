"""Carries out ``asynctask up``: the manager and who talks to it, what is shown, signals, the exit status."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio

from asynctask.cli.loop import run_loop
from asynctask.cli.output.colors import wanted
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.supervising.display import Display
from asynctask.cli.supervising.ending import EXIT_FAILED, Ending, all_over, first_end
from asynctask.cli.supervising.labels import Prefixes
from asynctask.cli.supervising.log import log_shown
from asynctask.cli.supervising.plan import plan
from asynctask.cli.supervising.printing import Printer
from asynctask.cli.supervising.reloading import Loader, nodes_of_all
from asynctask.cli.supervising.request import Request
from asynctask.cli.supervising.source import Source
from asynctask.cli.supervising.stopping import end_manager, left_running, names_text, still_there
from asynctask.cli.terminal import STDERR, STDOUT, is_terminal
from asynctask.emitter import EventEmitter
from asynctask.manager.control.server import ControlServer
from asynctask.manager.launching import Launcher
from asynctask.manager.manager import Manager
from asynctask.manager.systemd import ServiceNotifier
from asynctask.manager.template import ProcessTemplate
from asynctask.ssh.options import SSHOptions

__all__ = ("Supervision", "execute")

STDIN = 0
#: Seconds that output may take to be read when all has ended.
_PATIENCE = 8.0
#: Seconds that systemd is asked to wait, again and again, while all is started or stopped: that has bounds.
_EXTENSION = 60.0
#: Seconds to leave in when nothing is to be waited for.
_LEAVING = 0.3
#: Seconds in which ends of processes are collected before it is looked whether there are others.
_LOOK = 0.02
#: Events that wait for those who listen.
_EVENTS = 100_000
#: Lines that wait for the display: more than come while it waits for a terminal that blinks.
_LINES = 100_000
#: Variables by which systemd talks to us: processes that we start are none of its business.
_OF_SYSTEMD = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


def execute(request: Request) -> int:
    """Run it; the exit status.

    Raises:
        AsyncTaskError: nothing was run.
        OSError: standard output cannot be written.
    """
    source = Source(request)
    templates = source.read()
    if request.dry_run:
        sys.stdout.buffer.write(plan(templates))
        sys.stdout.flush()
        return 0
    return run_loop(Supervision(request, source, templates).run())


class Supervision:
    """One run of ``asynctask up``.

    Args:
        request: what the user wants.
        source: reads the file.
        templates: what it said at first.
        launcher: starts all processes, for tests.
    """

    def __init__(
        self,
        request: Request,
        source: Source,
        templates: Mapping[str, ProcessTemplate],
        launcher: Launcher | None = None,
    ) -> None:
        self._request = request
        self._source = source
        self._templates = templates
        self._launcher = launcher
        self._caught: list[signal.Signals] = []
        self._ending: Ending | None = None
        self._ended = asyncio.Event()
        self._started = False
        self._giving_up: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None

    async def run(self) -> int:
        """Run it; the exit status.

        Raises:
            AsyncTaskError: nothing was run.
            OSError: standard output cannot be written.
        """
        request = self._request
        ssh = SSHOptions(config=request.ssh_config, user=request.user, host_keys=request.host_keys)
        ssh.config_files()  # else a missing one would be told at the first connection
        nodes = await nodes_of_all(self._templates)
        self._notifier = ServiceNotifier.from_environment()
        for name in _OF_SYSTEMD:
            os.environ.pop(name, None)
        self._screen = screen = Screen(None, self._nobody_reads)
        self._terminals = [] if request.daemon else list(filter(is_terminal, (STDIN, STDOUT, STDERR)))
        self._printer = Printer(screen)
        self._emitter = EventEmitter(max_size=_EVENTS)
        self._manager = Manager(
            name=self._source.manager_name, emitter=self._emitter, ssh=ssh, launcher=self._launcher
        )
        choice = "never" if request.daemon and request.color == "auto" else request.color
        terminal = screen.is_terminal(STDOUT)
        prefixes = Prefixes(colored=wanted(choice, terminal), timestamps=_time_format(request))
        prefixes.expect(self._templates, nodes)
        current = dict(self._templates)
        self._display = Display(self._manager, current, self._printer, prefixes, terminal=terminal)
        self._loader = Loader(self._manager, self._source, current, prefixes, self._display.say)
        try:
            with signals_handled(self._signalled), log_shown(self._display.say):
                await self._show_all()
        except BaseExceptionGroup as exc:
            raise _only_one(exc) from None
        finally:
            self._notifier.close()
            await screen.close()
        if screen.error is not None and not self._caught:
            raise screen.error
        return self._exit_status()

    # -- from the first process to the last --------------------------------------------------------------

    async def _show_all(self) -> None:
        """Do it, and wait until all of it was shown."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._printer.run)
            try:
                await self._supervise()
            finally:
                self._display.tell_ends()
                self._give_up_later()
                await self._printer.idle()
            group.cancel_scope.cancel()

    async def _supervise(self) -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._emitter)
            manager = await stack.enter_async_context(self._manager)
            path = self._source.socket
            await stack.enter_async_context(ControlServer(manager, path, reread=self._reload))
            if (address := self._source.http) is not None:
                await self._serve_http(stack, address, path)
            manager.subscribe("proc", self._display.heard)
            for topic in ("proc.*.reap", "proc.*.fatal", "stop"):
                manager.subscribe(topic, self._look_soon)
            lines = stack.enter_context(manager.output(maxsize=_LINES))
            async with anyio.create_task_group() as group:
                group.start_soon(self._display.follow, lines)
                self._notifier.start_watchdog()
                await self._begin()
                await self._ended.wait()
                await self._finish()

    async def _serve_http(self, stack: AsyncExitStack, address: tuple[str, int], socket: Path) -> None:
        from asynctask.cli.supervising.http import serve_http, token_path

        token = token_path(self._request.token_file, socket)
        server = serve_http(self._manager, address, token, self._reload, self._request.http_hosts)
        for line in await stack.enter_async_context(server):
            self._display.say(line)

    async def _begin(self) -> None:
        """Start all, unless it is to end before all are started."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancelled_at_end, group.cancel_scope)
            group.start_soon(self._ask_for_patience)
            await self._loader.load(start=True if self._request.names else None)
            group.cancel_scope.cancel()
        if self._ending is None:
            self._started = True
            self._notifier.ready(self._summary())
            if not any(
                info.wanted and info.processes for info in map(self._manager.info, self._manager.list())
            ):
                self._display.say(
                    "nothing is to run yet: 'asynctask start' and 'asynctask scale' change that"
                )
            self._look_soon()

    async def _cancelled_at_end(self, scope: anyio.CancelScope) -> None:
        await self._ended.wait()
        scope.cancel()

    async def _finish(self) -> None:
        """Stop all, in order, however long that takes."""
        assert self._ending is not None
        await self._loader.close()
        self._notifier.stopping(self._ending.reason)
        self._display.say(self._ending.reason + self._what_is_stopped())
        if left := list(left_running(self._manager)):
            self._display.say(f"left running: {names_text(left)}")
        async with anyio.create_task_group() as group:
            group.start_soon(self._ask_for_patience)
            await end_manager(self._manager, self._display.say)
            group.cancel_scope.cancel()
        self._give_up_later()

    def _give_up_later(self) -> None:
        """Who reads the output may have stopped doing so, and it is not waited for him for ever."""
        if self._giving_up is None:
            self._giving_up = asyncio.get_running_loop().call_later(_PATIENCE, self._screen.give_up)

    def _what_is_stopped(self) -> str:
        if there := list(still_there(self._manager)):
            hint = " (Ctrl-C again kills them)" if self._terminals else ""
            return f": stopping {names_text(there)}{hint}"
        return ": nothing to stop" if self._caught else ""

    async def _ask_for_patience(self) -> None:
        while True:
            self._notifier.extend_timeout(_EXTENSION)
            await anyio.sleep(_EXTENSION / 2)

    async def _reload(self) -> Mapping[str, Any]:
        """Somebody who talks to us wants the file to be read again."""
        self._notifier.reloading()
        try:
            return await self._loader.reload()
        finally:
            self._notifier.ready(self._summary())
            self._look_soon()

    def _summary(self) -> str:
        status = self._manager.status()
        return f"{status.processes} processes of {status.templates} templates run"

    # -- when it ends ------------------------------------------------------------------------------------

    def _look_soon(self, topic: str = "", message: Mapping[str, Any] | None = None) -> None:
        """A process has ended. Many may do so at once, and there is one look at them all."""
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def _look(self) -> None:
        """Whether that was the last that was waited for."""
        self._looking = None
        names = self._manager.list()
        if self._ending is not None or not names:
            return
        infos = map(self._manager.info, names)
        if ends := self._source.exit_with(names):
            found = first_end(infos, ends)
        elif self._request.daemon or not self._started or self._loader.busy:
            return
        else:
            found = all_over(infos)
        if found is not None:
            self._end(found)

    def _end(self, ending: Ending) -> None:
        if self._ending is None:
            self._ending = ending
            self._ended.set()

    def _nobody_reads(self) -> None:
        """Standard output is broken: a service can do without, for others it is the end."""
        if not self._request.daemon:
            self._end(Ending("nobody reads the output", EXIT_FAILED))

    def _signalled(self, caught: signal.Signals) -> None:
        """The first signal stops all in order, the next gives it no more time, the third leaves at once."""
        number = signal.Signals(caught)
        if number is signal.SIGHUP and all(map(is_terminal, self._terminals)):  # none was hung up
            if self._ending is None:
                self._begin_reload()
            return
        self._caught.append(number)
        if len(self._caught) == 1:
            self._end(Ending(number.name, 0))
        elif len(self._caught) == 2:
            self._display.say("killing what is left")
            self._manager.hurry()
        else:
            self._display.say("leaving at once")
            asyncio.get_running_loop().call_later(_LEAVING, os._exit, self._exit_status())

    def _begin_reload(self) -> None:
        if not self._loader.begin(self._reload):
            self._notifier.reloading()  # it waits for a word that is younger than its signal

    def _exit_status(self) -> int:
        if len(self._caught) > 1:
            return EXIT_SIGNAL + self._caught[0]
        return EXIT_FAILED if self._ending is None else self._ending.status


def _time_format(request: Request) -> str | None:
    if not request.timestamps:
        return None
    return "%Y-%m-%d %H:%M:%S" if request.daemon else "%H:%M:%S"


def _only_one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that others only follow from."""
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup) and len(found.exceptions) == 1:
        found = found.exceptions[0]
    return found
