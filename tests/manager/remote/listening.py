"""What the tests of processes on nodes use: ears, orders, and looks at what is left on a node."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from asynctask.manager.launching import Order
from asynctask.manager.remote.launcher import RemoteLauncher
from asynctask.manager.remote.session import Pace
from asynctask.manager.template import ProcessTemplate
from tests.sshd import kill_and_wait, runs

__all__ = ("PATIENCE", "QUICK", "Heard", "cut", "end_all", "lives", "order", "pids", "until")

PATIENCE = 15.0
#: Everything sooner than for people.
QUICK = Pace(beat=0.2, answer=5.0, retry_first=0.02, retry_most=0.1, patience=0.1, idle=30.0)


class Heard:
    """Ears that write down what they hear."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self._streams = {"stdout": b"", "stderr": b""}
        self._more = asyncio.Event()

    def _note(self, event: str) -> None:
        self.events.append(event)
        self._more.set()

    def output(self, stream: str, chunk: bytes) -> None:
        self._streams[stream] += chunk
        self._more.set()

    def lost(self, reason: str) -> None:
        self._note(f"lost: {reason}")

    def found(self) -> None:
        self._note("found")

    def warn(self, text: str) -> None:
        self._note(f"warning: {text}")

    @property
    def out(self) -> bytes:
        """Standard output."""
        return self._streams["stdout"]

    @property
    def err(self) -> bytes:
        """Standard error."""
        return self._streams["stderr"]

    async def until(self, text: bytes | str) -> None:
        """Wait until it is in the output, or an event."""
        async with asyncio.timeout(PATIENCE):
            while not (text in self.out if isinstance(text, bytes) else any(text in e for e in self.events)):
                self._more.clear()
                await self._more.wait()


def order(command: str | list[str], *, index: int | None = 0, node: str = "n1", **settings: Any) -> Order:
    """What to start. A command that is one text is for the shell."""
    shell = isinstance(command, str)
    name = settings.pop("name", "web")
    settings = {"graceful_timeout": 0.5, "lost_timeout": 20.0, **settings}
    return Order(ProcessTemplate(name, command, shell=shell, nodes=node, **settings), 1, index, node)


def cut(launcher: RemoteLauncher, node: str = "n1") -> None:
    """Break the connection to a node, without a goodbye."""
    session = launcher._nodes[node].session
    assert session is not None
    session._lease.connection.abort()


def lives(home: Path) -> list[Path]:
    """The directories that the processes of a node have there."""
    return sorted(home.glob(".local/state/asynctask/*/*/[!.]*/*"))


def pids(home: Path, pattern: str = "ran") -> list[int]:
    """The processes that have put their numbers into files, and run."""
    found = [int(line) for path in home.glob(pattern) for line in path.read_text().split()]
    return [pid for pid in found if runs(pid)]


async def until(condition: Any) -> None:
    """Wait until something is so that nobody tells of."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it does not become so"
        await asyncio.sleep(0.01)


def end_all(home: Path) -> None:
    """End what is left on a node, as if the power had failed: first those who could tell of it."""
    state = str(home / ".local/state/asynctask")
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((entry / "cwd").readlink()).startswith(state):
                kill_and_wait(int(entry.name))
    for life in lives(home):
        with suppress(OSError, ValueError):
            os.killpg(int((life / "proc").readlink().name.split()[0]), signal.SIGKILL)
