"""Processes that outlive their manager, and are found again by the next one of its name.

Each has a record (:mod:`.statefile`) before it is started, and writes to its log files by itself: nothing of
it goes through the manager. The guard knows nothing of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TypeVar

import anyio

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.launching import Ears, Order, Running
from asynctask.manager.local.adopted import AdoptedRunning, Ask, signal_group
from asynctask.manager.local.detached_running import DetachedRunning
from asynctask.manager.local.direct_logs import OpenLogs, logs_of
from asynctask.manager.local.guard import Guard
from asynctask.manager.local.identity import boot_id, start_time
from asynctask.manager.local.lookup import candidates, known, surplus
from asynctask.manager.local.programs import Program, Target
from asynctask.manager.local.rotation import Rotation
from asynctask.manager.local.statefile import TOKEN, Record, StateDirectory, default_directory
from asynctask.manager.signals import signal_number
from asynctask.manager.template import LogFile, ProcessTemplate
from asynctask.pollers.aside import Aside
from asynctask.process_groups import ProcessGroups

__all__ = ("Detached",)

#: Seconds that a process may take to vanish after KILL.
_KILL_WAIT = 2.0
#: Seconds that tidying up may take when nobody waits for it any more.
_TIDY = 2.0
T = TypeVar("T")
Start = Callable[[Program, Ears, Callable[[int], None]], Awaitable[Running]]
Check = Callable[[Program, list[str], float], Awaitable[bool]]


class Detached:
    """The detached processes of one manager, on this machine.

    Nothing is read or locked before it is needed.

    Args:
        name: of the manager.
        directory: where they are remembered; ``None``: :func:`.statefile.default_directory`.
        start: starts a program whose streams are not ours, calls the third argument with its number at once,
            and gives the process. Cancelled, it starts nothing, or ends what it started.
        groups: looks at process groups.
        usage: tells what a session takes.
        check: runs a command beside a program.
    """

    def __init__(
        self,
        name: str,
        directory: Path | None,
        *,
        start: Start,
        groups: ProcessGroups,
        usage: Ask,
        check: Check,
    ) -> None:
        self._directory = StateDirectory(directory or default_directory(name), name)
        self._start = start
        self._groups = groups
        self._usage = usage
        self._check = check
        self._touched = False  # it is being opened, at least
        self._is_open = False
        self._turn = asyncio.Lock()
        self._files = Aside("detached processes")
        self._claims: dict[str, Record] = {}
        self._rotation = Rotation(self._files)

    async def launch(self, order: Order, ears: Ears, program: Program) -> Running:
        """Find the process of a place, or start one.

        Raises:
            LaunchError: neither can be done, and why; also when another manager of this name runs.
        """
        try:
            found = await self.find(order, ears, program)
            return found if found is not None else await self.start(order, ears, program)
        except LaunchError:
            raise
        except ManagerError as exc:
            raise LaunchError(f"template {order.template.name!r}", str(exc)) from exc

    # -- finding ------------------------------------------------------------------------------

    async def find(self, order: Order, ears: Ears, program: Program) -> Running | None:
        """The process that an earlier manager has left in this place; ``None``: there is none.

        The one of the same index comes first. Without, one may be taken whose index no other place has, since
        processes change their index when a template is reloaded. What is left of the group of a process that
        has ended is ended first.

        Raises:
            ManagerError: another manager of this name runs, or the records cannot be read.
        """
        template, index = order.template, order.index
        ended, running = [], None
        async with self._turn:
            await self._open()
            look = partial(candidates, self._directory, template, index, frozenset(self._claims))
            for record in await self._in_thread(look):
                if (running := self._adopt(record, order, ears, program)) is not None:
                    break
                ended.append(record)
        for record in ended:
            await self._end_group(record, signal_number(template.stop_signal), template.graceful_timeout)
            await self._in_thread(partial(self._directory.remove, record))
        return running

    def _adopt(self, record: Record, order: Order, ears: Ears, program: Program) -> Running | None:
        identity = record.identity
        assert identity is not None
        try:
            adopted = AdoptedRunning(identity, self._groups, self._usage, partial(self._check, program))
        except ProcessLookupError:
            return None
        self._claims[record.token] = record
        logs = [log for stream, log in logs_of(order).items() if record.logs.get(stream) == str(log.path)]
        self._rotation.add(record.token, logs, record.started, ears.warn)
        given = _in_short(program, order.template)
        if record.template and record.index == order.index and record.template != given:
            ears.warn("it was found running, started with another template than this; a restart applies it")
        return DetachedRunning(adopted, partial(self._release, record.token), found=True)

    async def _end_group(self, record: Record, stop_signal: int, grace: float) -> None:
        """Nobody keeps it: end what is left of it and its group."""
        identity = record.identity
        assert identity is not None
        for number, patience in ((stop_signal, grace), (signal.SIGKILL, _KILL_WAIT)):
            if not signal_group(identity, number):
                break
            signal_group(identity, signal.SIGCONT)  # who is stopped cannot react
            with anyio.move_on_after(patience):
                await self._groups.wait_gone(identity.pid)
                break

    async def end_strays(self, kept: Mapping[str, int], spared: Collection[str] = ()) -> list[Record]:
        """End the processes that no place has, or will have: each with its group, all at the same time.

        Args:
            kept: how many places there are, by the name of their template.
            spared: names of templates whose processes are left alone, though there is no place.

        Returns:
            What was ended.

        Raises:
            ManagerError: another manager of this name runs, or the records cannot be read.

        If there was never a detached process, nothing is made or locked. Cancelling leaves some of them.
        """
        if await self._in_thread(self._directory.is_empty):
            return []
        async with self._turn:
            await self._open()
            taken = frozenset(self._claims)
            look = partial(
                known, self._directory, lambda each: each.token not in taken and each.name not in spared
            )
            strays = surplus(await self._in_thread(look), kept, self._claims.values())
            self._claims |= {each.token: each for each in strays}  # no place takes it now
        try:
            async with anyio.create_task_group() as group:
                for each in strays:
                    group.start_soon(self._end_group, each, each.stop_signal, each.grace)
            await self._in_thread(partial(self._forget, strays))
        finally:
            for each in strays:
                self._claims.pop(each.token, None)
        return strays

    def _forget(self, records: Iterable[Record]) -> None:
        for each in records:
            self._directory.remove(each)

    # -- starting -----------------------------------------------------------------------------

    async def start(self, order: Order, ears: Ears, program: Program) -> Running:
        """Start a process that outlives us. What it prints goes to its log files, or nowhere.

        Raises:
            LaunchError: it could not be started, and why.
            ManagerError: it cannot be remembered, so it was not started.

        Cancelling starts nothing, or ends what was started.
        """
        template = order.template
        if not boot_id():
            raise LaunchError(f"template {template.name!r}", "detached processes need /proc, as Linux has it")
        logs = logs_of(order)
        record = Record(
            name=template.name,
            index=order.index or 0,
            token=token_hex(8),
            started=time.time(),
            template=_in_short(program, template),
            stop_signal=signal_number(template.stop_signal),
            grace=template.graceful_timeout,
            logs={stream: str(log.path) for stream, log in logs.items()},
        )
        opened = OpenLogs(logs)
        async with self._turn:
            await self._open()
        self._claims[record.token] = record
        try:
            await self._in_thread(opened.open)
            await self._in_thread(partial(self._directory.write, record))
            program = replace(
                program,
                env={**Guard.unmarked(program.env), TOKEN: record.token},
                stdout=_target(template, "stdout", opened),
                stderr=_target(template, "stderr", opened),
            )
            running = await self._start_known(program, ears, record)
        except BaseException:
            with anyio.move_on_after(_TIDY, shield=True):
                await self._release(record.token, over=True)
            raise
        finally:
            opened.close()
        self._rotation.add(record.token, list(logs.values()), record.started, ears.warn)
        return DetachedRunning(running, partial(self._release, record.token), found=False)

    async def _start_known(self, program: Program, ears: Ears, record: Record) -> Running:
        """Start it, and complete its record."""

        def born(pid: int) -> None:
            self._claims[record.token] = replace(record, pid=pid, start=start_time(pid) or 0)

        running = await self._start(program, ears, born)
        try:
            await self._in_thread(partial(self._directory.write, self._claims[record.token]))
        except BaseException:
            with anyio.move_on_after(_KILL_WAIT, shield=True):
                await running.signal(signal.SIGKILL)
                await running.wait()
            await running.aclose()
            raise
        return running

    # -- records ------------------------------------------------------------------------------

    async def _open(self) -> None:
        if not self._is_open:
            self._touched = True
            await self._in_thread(self._directory.open)
            self._is_open = True

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await self._files.do(work)
        except OSError as exc:
            raise ManagerError(f"detached processes: {exc}") from exc

    async def _release(self, token: str, *, over: bool) -> None:
        """A process has ended, or is left behind."""
        self._rotation.remove(token)
        if over:
            await self._in_thread(partial(self._directory.remove, self._claims[token]))
        self._claims.pop(token, None)

    async def aclose(self) -> None:
        """All processes have ended or are left behind: let another manager find them."""
        await self._rotation.aclose()
        self._is_open = False
        if self._touched:
            with anyio.move_on_after(_TIDY, shield=True):
                await self._files.do(self._directory.close)  # there, so that it comes after what was begun


def _target(template: ProcessTemplate, stream: str, opened: OpenLogs) -> Target:
    redirect = template.stdout if stream == "stdout" else template.stderr
    if isinstance(redirect, LogFile):
        return opened.fds[stream]
    return "null" if redirect == "pipe" else redirect


def _in_short(program: Program, template: ProcessTemplate) -> str:
    """What a process is started with, so that another can be told from it."""
    who = program.identity
    parts = [
        list(program.argv),
        sorted(template.env.items()),
        [template.inherit_env, program.cwd, program.umask, who.uid, who.gid],
        [str(limit) for limit in program.limits],
        [repr(template.stdout), repr(template.stderr)],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
