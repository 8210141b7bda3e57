"""Carries out a request: the task, what is shown and kept of it, signals, the exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from asynctask.cli.asking import questions_heard
from asynctask.cli.between import Between
from asynctask.cli.control.confirming import confirm, is_asked, question
from asynctask.cli.hearers import Hearers, gathers
from asynctask.cli.login import login_settings
from asynctask.cli.loop import run_loop
from asynctask.cli.output.directories import make_directories
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.status import Status
from asynctask.cli.output.style import Style
from asynctask.cli.output.summary import exit_status, failure_lines, summary_line
from asynctask.cli.prompting import Asker
from asynctask.cli.request import Request
from asynctask.cli.rolling import Rolling
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.stdin import PasswordFirst, SharedInput, piped
from asynctask.cli.terminal import STDERR
from asynctask.errors import UsageError
from asynctask.outcome import NodeResult, Outcome
from asynctask.task import Task
from asynctask.workers.registry import worker_class

if TYPE_CHECKING:
    from asynctask.ssh.pool import ConnectionPool

__all__ = ("Execution", "execute", "log_to_stderr")

EXIT_ERROR = 1
#: The run ended early by ``--halt``, ``--check``, ``--deadline`` or ``--quorum``.
EXIT_CUT_SHORT = 3
_STOPPED_BY_US = {Outcome.ABORTED, Outcome.NEVER_STARTED}
#: How long output may take to be read after a signal that is sent only once, in seconds.
_PATIENCE = 8.0
#: How long a reader of the output may read nothing before it is given up, in seconds, when asked to.
_STUCK = 0.5


def execute(request: Request, *, resuming: int | None = None, retry_of: int | None = None) -> int:
    """Run it; the exit status.

    Args:
        request: what the user wants.
        resuming: the number of the run in the history that is gone on with.
        retry_of: the number of the run of which it repeats some nodes.

    Raises:
        AsyncTaskError: nothing was run.
        OSError: standard output cannot be written.
    """
    log_to_stderr(request)
    return run_loop(Execution(request, resuming=resuming, retry_of=retry_of).run())


def log_to_stderr(request: Request) -> None:
    """Show what the library has to say, and with ``-d`` what happens inside."""
    level = logging.DEBUG if request.verbosity > 2 else logging.WARNING
    logging.basicConfig(format="asynctask: %(message)s", level=level)


class Execution:
    """One run of a request.

    Args:
        request: what the user wants.
        pool: whose connections to use; by default it has its own.
        asker: asks the user; by default it has its own.
        most: ask the user before it runs a command on more nodes; ``None``: never.
        resuming: see :func:`execute`.
        retry_of: likewise.
    """

    def __init__(
        self,
        request: Request,
        *,
        pool: ConnectionPool | None = None,
        asker: Asker | None = None,
        most: int | None = None,
        resuming: int | None = None,
        retry_of: int | None = None,
    ) -> None:
        self._request = request
        self._pool = pool
        self._most = most
        self._origin = {"resuming": resuming, "retry_of": retry_of}
        self._caught: list[signal.Signals] = []
        self._rolling: Rolling | None = None
        self._results: Sequence[NodeResult] = ()
        self._asker = asker or Asker()

    async def run(self) -> int:
        """Run it; the exit status.

        Raises:
            AsyncTaskError: nothing was run.
            OSError: standard output cannot be written.
        """
        request = self._request
        if request.outdir is not None or request.errdir is not None:
            await asyncio.to_thread(make_directories, request.outdir, request.errdir)
        self._task = Task(
            fanout=request.fanout,
            start_delay=request.delay,
            pool=self._pool,
            before_start=self._announce if request.history else None,
        )
        self._status = Status(len(request.targets), self._task.active_nodes)
        shows_status = request.progress or not request.quiet
        self._screen = Screen(self._status.line if shows_status else None, self._stop)
        self._asker.screen = self._screen
        self._titles = Titles(
            regroup=request.regroup, source=request.groupsource, groupbase=request.groupbase
        )
        style = Style.of(request, self._screen)
        self._hearers = Hearers(request, self._screen, style, self._status, **self._origin)
        self._between = Between(request, self._titles, ask=self._ask, write=self._write_aside, doing=self._do)
        status = EXIT_ERROR
        try:
            with signals_handled(self._interrupted):
                try:
                    await self._work()
                    status = self._exit_status()
                finally:
                    await self._hearers.end(status)
        finally:
            await self._screen.close()
        if self._screen.error is not None and not self._caught:
            raise self._screen.error
        return status

    # -- the run ----------------------------------------------------------------------------------

    async def _work(self) -> None:
        request = self._request
        stdin = _shared_input(request)
        if is_asked(len(request.targets), self._most):
            await self._consent()
        logs_in = request.ask_login and worker_class(request.worker).remote
        password = await self._password("--ask-login", "Login password: ") if logs_in else None
        typed = await self._password("password_prompt", "Password: ") if request.password_prompt else None
        if self._caught:  # at a prompt
            return
        views = self._hearers.views
        try:
            async with self._task as task:
                self._rolling = rolling = Rolling(
                    request,
                    task,
                    views,
                    self._worker_settings(stdin if typed is None else PasswordFirst(typed, stdin), password),
                    self._between,
                    self._begin_batch,
                )
                await self._hearers.begin()
                await self._titles.ready(request.targets)
                with questions_heard(self._tell_who_runs, lambda: self._asker.asking):
                    self._results = await rolling.run()
                self._screen.end_status()
                for view in views:
                    await view.over(self._results)
            self._report(rolling)
        finally:
            if stdin is not None:
                stdin.close()

    def _worker_settings(
        self, stdin: SharedInput | PasswordFirst | None, password: str | None
    ) -> dict[str, Any]:
        request = self._request
        settings: dict[str, Any] = {
            "worker": request.worker,
            "timeout": request.command_timeout,
            "stderr": not request.gather_both,
            "gather": gathers(request),
        }
        if request.copying is None:
            settings["stdin"] = stdin
        if request.env:
            settings["env"] = dict(request.env)
        if request.connect_timeout is not None:
            settings["connect_timeout"] = request.connect_timeout
        if worker_class(request.worker).remote:
            settings.update(login_settings(request, self._asker, password))
        return settings

    async def _announce(self, node: str) -> None:
        await self._hearers.before_start(node)

    async def _consent(self) -> None:
        request = self._request
        answer = await self._ask(question(request.command, request.targets))
        if not self._caught:
            confirm(request.command, request.targets, lambda _: answer or "")

    async def _password(self, option: str, text: str) -> str | None:
        if self._caught:  # at the prompt before
            return None
        password = await self._asker.password(option, text)
        if password is None and not self._caught:
            raise UsageError(f"{option}: no password was given: nothing was run")
        return password

    def _begin_batch(self, number: int, count: int) -> None:
        self._status.batch = (number, count)

    def _do(self, what: str) -> None:
        self._status.doing = what

    async def _write_aside(self, text: bytes) -> None:
        await self._screen.write(STDERR, text)

    async def _ask(self, question: str) -> str | None:
        return await self._asker.ask(question, echo=True)

    # -- what is shown ----------------------------------------------------------------------------

    def _report(self, rolling: Rolling) -> None:
        request, say = self._request, self._screen.say
        if self._screen.error is not None:
            return
        if not (request.quiet and request.maxrc):
            lines = list(failure_lines(self._results, self._titles, every=request.verbose))
            for line in lines:
                say(f"asynctask: {line}")
            if len(lines) > 1 or request.verbose:
                say(f"asynctask: {summary_line(self._results, self._titles, self._hearers.attempts)}")
        if rolling.cut_short is not None and not self._caught:
            say(f"asynctask: {rolling.cut_short}")
        if rolling.enough is not None and not request.quiet:
            say(f"asynctask: {rolling.enough}")
        for fault in rolling.faults:
            where = "; ".join(getattr(fault, "__notes__", ()))
            say(f"asynctask: a fault of this program, please report it: {fault!r}; {where}")

    def _tell_who_runs(self) -> None:
        for line in self._status.who_runs():
            self._screen.say(f"asynctask: {line}")

    # -- how it ends ------------------------------------------------------------------------------

    def _stop(self, *, kill: bool = False) -> None:
        self._asker.stop()
        self._between.stop(kill=kill)
        if self._rolling is not None:
            self._rolling.stop(kill=kill)

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal stops the run in order, the next gives it no more time.

        The third leaves out output that nobody reads.
        """
        self._caught.append(number)
        if len(self._caught) == 1:
            nodes = self._task.active_nodes()
            what = f"stopping what still runs: {self._titles.of(nodes)}" if nodes else "stopping"
            self._screen.say(f"asynctask: {signal.Signals(number).name}: {what}")
            self._stop()
            if number != signal.SIGINT:  # nobody may be there to send another one
                asyncio.get_running_loop().call_later(_PATIENCE, self._screen.give_up)
        elif len(self._caught) == 2:
            self._screen.say("asynctask: killing what is left")
            self._stop(kill=True)
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
        rolling = self._rolling
        assert rolling is not None
        if self._screen.error is not None or rolling.faults:
            return EXIT_ERROR
        results = [r for r in self._results if not (rolling.enough and r.outcome in _STOPPED_BY_US)]
        status = exit_status(results) if self._request.maxrc else 0
        if rolling.cut_short is not None:
            status = max(status, EXIT_CUT_SHORT)
        if status == 0 and self._hearers.error is not None:
            return EXIT_ERROR
        return status


def _shared_input(request: Request) -> SharedInput | None:
    """What comes on standard input, for all commands; it is kept for those that begin later."""
    if request.nostdin or request.copying is not None or not piped():
        return None
    return SharedInput(readers=None if request.retries else len(request.targets))
