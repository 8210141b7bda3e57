"""Tests of asynctask.manager.local.detached_running."""

from __future__ import annotations

from typing import cast

import pytest

from asynctask.manager.launching import Exit, Running, Usage
from asynctask.manager.local.detached_running import DetachedRunning


class Inner:
    """A process that does what it is told, and writes it down."""

    os_pid = 7

    def __init__(self) -> None:
        self.told: list[str] = []

    async def wait(self) -> Exit:
        return Exit(3)

    async def signal(self, number: int) -> bool:
        self.told.append(f"signal {number}")
        return True

    def has_group(self) -> bool:
        return True

    async def group_gone(self) -> None:
        self.told.append("group gone")

    async def write(self, data: bytes, stream: str = "stdin") -> None:
        self.told.append(f"write {data!r} {stream}")

    async def close_input(self, stream: str = "stdin") -> None:
        self.told.append(f"close {stream}")

    async def usage(self) -> Usage | None:
        return Usage(1.0, 2)

    async def check(self, command: list[str], timeout: float) -> bool:
        return command == ["true"] and timeout == 1

    async def aclose(self) -> None:
        self.told.append("aclose")


def _running(inner: Inner, *, found: bool = False) -> DetachedRunning:
    async def release(*, over: bool) -> None:
        inner.told.append(f"release {over}")

    return DetachedRunning(cast(Running, inner), release, found=found)


@pytest.mark.parametrize("over", [True, False])
async def test_it_is_let_go_once(over: bool) -> None:
    """It is over when its exit is known."""
    inner = Inner()
    running = _running(inner)
    if over:
        assert await running.wait() == Exit(3)
    await running.aclose()
    await running.aclose()
    assert inner.told == ["aclose", f"release {over}", "aclose"]


async def test_the_rest_is_done_by_the_process() -> None:
    """But for reading: there is nothing to read."""
    inner = Inner()
    running = _running(inner, found=True)
    assert running.found
    assert running.os_pid == 7
    assert running.has_group()
    assert await running.signal(15)
    assert await running.usage() == Usage(1.0, 2)
    assert await running.check(["true"], 1)
    await running.group_gone()
    await running.write(b"x")
    await running.close_input("more")
    running.pause_reading()
    running.resume_reading()
    assert inner.told == ["signal 15", "group gone", "write b'x' stdin", "close more"]
