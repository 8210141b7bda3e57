"""What the tests of guard and detached processes need."""

from __future__ import annotations

import os
import time
from pathlib import Path

from asynctask.manager.launching import Order, Running
from asynctask.manager.local.accounts import Accounts
from asynctask.manager.local.detached import Detached
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.local.programs import program_of
from asynctask.manager.template import ProcessTemplate

__all__ = ("Hearer", "Keeper", "environment_of", "is_living", "wait_gone")


class Hearer:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def output(self, stream: str, chunk: bytes) -> None:
        raise AssertionError("nothing of a detached process is read")

    def lost(self, reason: str) -> None:
        raise AssertionError(reason)

    def found(self) -> None:
        raise AssertionError("it was never lost")

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Keeper:
    """A manager's share of the work: launches, and leaves."""

    def __init__(self, directory: Path, name: str = "test") -> None:
        self.ears = Hearer()
        self.launcher = LocalLauncher(name=name, state_dir=directory, guard=False)

    @property
    def detached(self) -> Detached:
        """What is tested."""
        return self.launcher.detached

    async def launch(self, template: ProcessTemplate, index: int = 0) -> Running:
        """Find a process or start it."""
        return await self.launcher.launch(Order(template, 1, index), self.ears)

    async def find(self, template: ProcessTemplate, index: int = 0) -> Running | None:
        """Find a process."""
        order = Order(template, 1, index)
        return await self.detached.find(order, self.ears, await program_of(order, Accounts()))

    async def aclose(self) -> None:
        """Leave what runs."""
        await self.launcher.aclose()


def is_living(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_gone(*pids: int) -> None:
    """Wait until processes that are none of our children have ended; 10 s at most. It blocks."""
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if is_living(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.005)


def environment_of(pid: int) -> dict[str, str]:
    """The environment of a process."""
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    parts = (os.fsdecode(each).partition("=") for each in variables if each)  # programs may write anything
    return {name: value for name, _, value in parts}
