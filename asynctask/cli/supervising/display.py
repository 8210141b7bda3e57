"""What ``asynctask up`` shows: the output of all processes, line by line, and what happens to them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from asynctask.cli.supervising.labels import Prefixes, label_of, shown_line
from asynctask.cli.supervising.printing import Printer
from asynctask.cli.supervising.telling import told
from asynctask.cli.terminal import STDERR, STDOUT, encoded, visible
from asynctask.errors import ManagerError
from asynctask.manager.information import OutputLine, ProcessInfo
from asynctask.manager.template import ProcessTemplate, Readiness

__all__ = ("Display",)

#: Seconds that the end of a process is told later, so that its last words are shown before.
_LAST_WORDS = 0.1
#: Lines that are taken before others get their turn: more than a process can print in one.
_AT_ONCE = 4000
#: Processes that are gone and still known by name: something may be told of their log files.
_MOST_GONE = 1000
#: Seconds between two times that it is told how many lines are not shown.
_MISSED_EVERY = 1.0


class Processes(Protocol):
    """The part of a manager that tells who a process is."""

    def process(self, pid: int) -> ProcessInfo:
        """One of its processes."""


class Lines(Protocol):
    """A manager's stream of output."""

    @property
    def missed(self) -> int:
        """How many lines came too fast."""

    def __aiter__(self) -> AsyncIterator[OutputLine]: ...


class Display:
    """Shows lines on standard output, and what is told of processes on standard error.

    Args:
        manager: whose processes these are.
        templates: those of which it is told when their processes are ready, if that is worth it.
        printer: where it is shown.
        prefixes: what stands in front of lines.
        terminal: whether standard output is one.
    """

    def __init__(
        self,
        manager: Processes,
        templates: Mapping[str, ProcessTemplate],
        printer: Printer,
        prefixes: Prefixes,
        *,
        terminal: bool,
    ) -> None:
        self._manager = manager
        self._templates = templates
        self._printer = printer
        self._prefixes = prefixes
        self._terminal = terminal
        self._known: dict[int, tuple[str, int | None]] = {}  # by pid: its label, and the system's number
        self._gone: deque[int] = deque()
        self._ends: dict[int, tuple[str, asyncio.TimerHandle]] = {}  # ends that are not told yet
        self._batch: list[bytes] = []  # lines that came together
        self._missed = 0
        self._told: asyncio.TimerHandle | None = None

    # -- output ------------------------------------------------------------------------------------------

    async def follow(self, lines: Lines) -> None:
        """Show output until there is no more; waits while nobody reads."""
        taken = 0
        async for line in lines:
            self.show(line)
            taken += 1
            if taken >= _AT_ONCE:
                taken = 0
                self._flush()
                await self._printer.room()
                await asyncio.sleep(0)
            if lines.missed != self._missed and self._told is None:
                self._told = asyncio.get_running_loop().call_later(_MISSED_EVERY, self._tell_missed, lines)
        self._tell_missed(lines)

    def show(self, line: OutputLine) -> None:
        """Show one line."""
        prefix = self._prefixes.output(line)
        text = line.line
        if self._terminal:
            text = shown_line(text, may_color=self._prefixes.colored and line.node is None)
        if not self._batch:
            asyncio.get_running_loop().call_soon(self._flush)
        self._batch += (prefix, text, b"\n")

    def _flush(self) -> None:
        if self._batch:
            self._printer.put(STDOUT, b"".join(self._batch))
            self._batch.clear()

    def _tell_missed(self, lines: Lines) -> None:
        if self._told is not None:
            self._told.cancel()
            self._told = None
        if lines.missed != self._missed:
            self.say(f"{lines.missed - self._missed} lines of output are not shown: they came too fast")
            self._missed = lines.missed

    # -- events ------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Tell something; never waits."""
        self._flush()
        prefix = self._prefixes.system(time.time())
        self._printer.put(STDERR, prefix + visible(encoded(text)).replace(b"\n", b" ") + b"\n")

    def heard(self, topic: str, message: dict[str, Any]) -> None:
        """Take an event of a process: a listener for ``proc``."""
        event = topic.rpartition(".")[2]
        pid = message.get("pid")
        if pid is None:
            if "index" in message:  # of a place that has no process now
                label = label_of(message["name"], message["index"], message.get("node"), 0)
                self._say(told(event, message, label))
            return
        label, os_pid = self._who(pid, message)
        if event == "reap":
            self._tell_end(pid)
            self._prefixes.forget(pid)
            self._gone.append(pid)
            if len(self._gone) > _MOST_GONE:
                self._known.pop(self._gone.popleft(), None)
            return
        if event == "ready" and not self._is_worth_telling(message["name"]):
            return
        text = told(event, message, label, os_pid=os_pid)
        if event == "exit" and text is not None:
            timer = asyncio.get_running_loop().call_later(_LAST_WORDS, self._tell_end, pid)
            self._ends[pid] = text, timer
        else:
            self._say(text)

    def tell_ends(self) -> None:
        """Tell of all ends that wait for last words."""
        for pid in list(self._ends):
            self._tell_end(pid)

    def _say(self, text: str | None) -> None:
        if text is not None:
            self.say(text)

    def _tell_end(self, pid: int) -> None:
        waiting = self._ends.pop(pid, None)
        if waiting is not None:
            text, timer = waiting
            timer.cancel()
            self.say(text)

    def _who(self, pid: int, message: dict[str, Any]) -> tuple[str, int | None]:
        known = self._known.get(pid)
        if known is None:
            try:
                info = self._manager.process(pid)
            except ManagerError:  # it was gone before it could be asked for
                return label_of(message["name"], None, message.get("node"), pid), None
            known = self._known[pid] = label_of(info.name, info.index, info.node, pid), info.os_pid
        return known

    def _is_worth_telling(self, name: str) -> bool:
        """Whether being ready is more than having been started."""
        template = self._templates.get(name)
        return template is not None and template.readiness != Readiness()
