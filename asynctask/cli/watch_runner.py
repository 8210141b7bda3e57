"""Carries out ``asynctask watch``: the rules, what is shown, signals, the exit status."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asynctask.cli.loop import run_loop
from asynctask.cli.output.labels import Titles
from asynctask.cli.output.live import LiveView
from asynctask.cli.output.style import Style
from asynctask.cli.screen import Screen
from asynctask.cli.signals import EXIT_SIGNAL, signals_handled
from asynctask.cli.targets import Targets
from asynctask.cli.terminal import STDOUT
from asynctask.cli.watch_show import ChangePrinter, CommandPrinter, plan
from asynctask.errors import PollerError, UsageError
from asynctask.nodes import fold
from asynctask.pollers.base import Poller
from asynctask.pollers.registry import make_poller
from asynctask.rules.checking import poller_of
from asynctask.rules.engine import RuleEngine
from asynctask.rules.keeping import read_state
from asynctask.rules.model import Rule, Rules, Watched
from asynctask.rules.reading import load_rules
from asynctask.rules.topics import never_heard
from asynctask.ssh.options import SSHOptions
from asynctask.workers.registry import worker_class

__all__ = ("Request", "execute")

#: What the only rule and poller of a command line are called.
_NAME = "watch"
#: How long output may take to be read after a signal that is sent only once, in seconds.
_PATIENCE = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user wants, after the options were read."""

    rules: str | None
    url: str
    command: str
    on: tuple[str, ...] = ("created", "modified", "deleted")
    only: tuple[str, ...] = ()
    recurse: bool = False
    existing: bool = False
    interval: float = 1.0
    debounce: float = 0.0
    state: str | None = None
    once: bool = False
    nodes: tuple[str, ...] = ()
    worker: str | None = None
    fanout: int = 64
    connect_timeout: float | None = None
    timeout: float | None = None
    concurrency: int = 1
    retries: int = 0
    rate: Any = None
    stdin: Any = None
    dead_letters: str | None = None
    user: str | None = None
    ssh_config: str | None = None
    host_keys: Any = None
    no_label: bool = False
    dry_run: bool = False
    as_json: bool = False

    def as_rules(self) -> Rules:
        """What is to be done.

        Raises:
            UsageError: something in it can never work.
        """
        if self.rules is not None:
            rules = load_rules(self.rules)
            for rule, topic in never_heard(rules):
                why = "nothing publishes"
                if topic.startswith((f"task.{rule.name}.", f"rule.{rule.name}.")):
                    why = "a rule is not run for what it does itself:"
                raise UsageError(f"{self.rules}: rule {rule.name!r}: when: {why} {topic!r}")
            return rules
        if self.worker is not None:
            worker_class(self.worker)
        rule = Rule(
            name=_NAME,
            when=tuple(f"poller.{_NAME}.{kind}" for kind in self.on),
            run=self.command or ":",
            only=self.only,
            nodes=fold(Targets(nodes=self.nodes).resolve()) if self.nodes else None,
            worker=self.worker,
            fanout=self.fanout,
            timeout=self.timeout,
            connect_timeout=self.connect_timeout,
            stdin=self.stdin,
            debounce=self.debounce,
            rate=self.rate,
            concurrency=self.concurrency,
            retries=self.retries,
        )
        watched = Watched(
            name=_NAME,
            url=self.url,
            recurse=self.recurse,
            interval=self.interval,
            existing=self.existing,
            state=None if self.state is None else Path(self.state),
        )
        poller_of(watched)  # what it cannot be is told without a place
        letters = None if self.dead_letters is None else Path(self.dead_letters)
        return Rules(pollers=(watched,), rules=(rule,), dead_letters=letters)


def execute(request: Request) -> int:
    """Run it; the exit status.

    Raises:
        AsyncTaskError: nothing was run, or nothing can be watched any more.
        OSError: standard output cannot be written.
    """
    try:
        return run_loop(_Execution(request, request.as_rules()).run())
    except UsageError as exc:
        if request.rules is None or str(exc).startswith(f"{request.rules}: "):
            raise
        raise UsageError(f"{request.rules}: {exc}") from exc


class _ScreenLog(logging.Handler):
    """Shows warnings in their place among the output."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("asynctask: %(message)s"))
        self._screen = screen
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(RuntimeError):  # a thread that outlives the loop
            self._loop.call_soon_threadsafe(self._screen.say, self.format(record))


@contextmanager
def _log_shown(screen: Screen) -> Iterator[None]:
    handler = _ScreenLog(screen)
    logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Execution:
    """One command line's run."""

    def __init__(self, request: Request, rules: Rules) -> None:
        self._request = request
        self._rules = rules
        self._caught: list[signal.Signals] = []

    async def run(self) -> int:
        request = self._request
        self._screen = Screen(None, self._stop)
        self._engine: RuleEngine | None = None
        with signals_handled(self._interrupted), _log_shown(self._screen):
            try:
                if request.rules is not None and request.dry_run:
                    await self._screen.write(STDOUT, plan(self._rules))
                else:
                    await self._watch()
            finally:
                await asyncio.sleep(0)  # what was logged last
                await self._screen.close()
        if self._caught:
            return EXIT_SIGNAL + self._caught[0]
        if self._screen.error is not None:
            raise self._screen.error
        return 0

    async def _watch(self) -> None:
        request, screen, rules = self._request, self._screen, self._rules
        settings: dict[str, Any] = {}
        if request.rules is None and not request.command:
            settings["carrier"] = ChangePrinter(screen, as_json=request.as_json)
        elif request.dry_run:
            settings["carrier"] = CommandPrinter(screen)
            rules, settings["maker"] = _without_keeping(rules)
        else:
            label = not request.no_label and (request.rules is not None or bool(request.nodes))
            settings["handler"] = LiveView(screen, Style(label=label))
            ssh = SSHOptions(config=request.ssh_config, user=request.user, host_keys=request.host_keys)
            ssh.config_files()  # else a missing one would be told at the first change
            settings["ssh"] = ssh
        self._engine = RuleEngine(rules, **settings)
        if self._caught:
            self._engine.stop()
        try:
            await self._engine.run(once=request.once)
        except PollerError:
            if not self._caught:
                raise

    # -- how it ends ------------------------------------------------------------------------------

    def _stop(self) -> None:
        if self._engine is not None:
            self._engine.stop()

    def _interrupted(self, number: signal.Signals) -> None:
        """The first signal stops what runs in order, the next gives it no more time.

        The third leaves out output that nobody reads.
        """
        self._caught.append(number)
        engine = self._engine
        if len(self._caught) == 1:
            nodes = [] if engine is None else engine.active_nodes()
            what = f"stopping what still runs: {Titles().of(nodes)}" if nodes else "stopping"
            self._screen.say(f"asynctask: {signal.Signals(number).name}: {what}")
            self._stop()
            if number != signal.SIGINT:  # nobody may be there to send another one
                asyncio.get_running_loop().call_later(_PATIENCE, self._screen.give_up)
        elif len(self._caught) == 2:
            self._screen.say("asynctask: killing what is left")
            if engine is not None:
                engine.kill()
        else:
            self._screen.give_up()


def _without_keeping(rules: Rules) -> tuple[Rules, Any]:
    """The same without states being written; they are still read."""
    states = {watched.url: watched.state for watched in rules.pollers}

    def maker(url: str, **extra: Any) -> Poller:
        path = states[url]
        return make_poller(url, **extra, state=None if path is None else read_state(path))

    pollers = tuple(replace(watched, state=None) for watched in rules.pollers)
    return replace(rules, pollers=pollers, dead_letters=None), maker
