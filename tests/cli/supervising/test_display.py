"""What is shown of processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asynctask.cli.supervising import display as module
from asynctask.cli.supervising.display import Display
from asynctask.cli.supervising.labels import Prefixes
from asynctask.cli.supervising.printing import Printer
from asynctask.cli.terminal import STDERR, STDOUT
from asynctask.manager.template import Readiness
from tests.cli.supervising.fakes import FakeLines, FakeManager, FakeScreen, info, line, process

pytestmark = pytest.mark.one_loop("no descriptors")


class Shown:
    """A display, and what it has shown."""

    def __init__(self, manager: FakeManager, *, terminal: bool = False) -> None:
        self.screen = FakeScreen()
        self.printer = Printer(self.screen)
        templates = {name: manager.info(name).template for name in manager.list()}
        self.display = Display(manager, templates, self.printer, Prefixes(), terminal=terminal)
        self.task = asyncio.create_task(self.printer.run())

    def hear(self, event: str, **message: Any) -> None:
        """An event comes."""
        name = message.pop("name", "web")
        topic = f"proc.{name}.{event}"
        self.display.heard(topic, {"event": topic, "name": name, **message})

    async def lines(self) -> list[tuple[int, str]]:
        """All that was shown."""
        await asyncio.sleep(0)  # lines that come together are shown together
        await self.printer.idle()
        return [(fd, text) for fd, data in self.screen.pieces for text in data.decode().split("\n")[:-1]]


@pytest.fixture
def manager() -> FakeManager:
    """One with two processes."""
    return FakeManager(info(process(pid=1), process(index=1, pid=2), numprocesses=2))


@pytest.fixture
async def shown(manager: FakeManager) -> AsyncIterator[Shown]:
    """A display in a pipe."""
    shown = Shown(manager)
    yield shown
    shown.task.cancel()
    await asyncio.gather(shown.task, return_exceptions=True)


async def test_lines_of_all(shown: Shown) -> None:
    """Who printed it, and where; bytes as they are."""
    lines = FakeLines([line(b"\x1b[2Ja\r"), line(b"b", pid=2, index=1, stream="stderr")])
    lines.end()
    await shown.display.follow(lines)
    assert await shown.lines() == [(STDOUT, "web.1  | \x1b[2Ja\r"), (STDOUT, "web.2  ! b")]


async def test_on_a_terminal_nothing_drives_it(manager: FakeManager) -> None:
    """Neither from nodes nor from here."""
    shown = Shown(manager, terminal=True)
    shown.display.show(line(b"\x1b[2J", node="n3"))
    shown.display.say("\x1b[2J\n")
    shown.hear("fatal", index=0, reason="\x1b[2J")
    assert await shown.lines() == [
        (STDOUT, "web.1@n3 | ^[[2J"),
        (STDERR, "system   | ^[[2J "),
        (STDERR, "system   | web.1 is given up: ^[[2J"),
    ]
    shown.task.cancel()


async def test_lines_that_came_too_fast(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted, now and then, and at the end."""
    monkeypatch.setattr(module, "_MISSED_EVERY", 0.0)
    lines = FakeLines([line(b"a"), line(b"b")])
    lines.missed = 5
    following = asyncio.create_task(shown.display.follow(lines))
    while len(await shown.lines()) < 3:
        await asyncio.sleep(0)
    lines.missed = 7
    lines.end()
    await following
    assert await shown.lines() == [
        (STDOUT, "web.1  | a"),
        (STDOUT, "web.1  | b"),
        (STDERR, "system | 5 lines of output are not shown: they came too fast"),
        (STDERR, "system | 2 lines of output are not shown: they came too fast"),
    ]


async def test_a_life(shown: Shown) -> None:
    """Being ready is told only where that means something; the end comes after the last words."""
    shown.hear("spawn", pid=1)
    shown.hear("ready", pid=1)
    shown.hear("exit", pid=1, exit_code=3, term_signal=None)
    shown.display.show(line(b"last words"))
    shown.hear("reap", pid=1)
    assert await shown.lines() == [
        (STDERR, "system | web.1 started (pid 1001)"),
        (STDOUT, "web.1  | last words"),
        (STDERR, "system | web.1 exited with code 3"),
    ]


async def test_the_end_is_told_soon(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when something of its group is left, so that it is not reaped."""
    monkeypatch.setattr(module, "_LAST_WORDS", 0.0)
    shown.hear("exit", pid=1, exit_code=0, term_signal=None)
    await asyncio.sleep(0.001)
    assert await shown.lines() == [(STDERR, "system | web.1 exited with code 0")]
    shown.hear("reap", pid=1)
    assert len(await shown.lines()) == 1


async def test_ends_that_are_not_told_yet(shown: Shown) -> None:
    """They are told when all is over."""
    shown.hear("exit", pid=2, exit_code=0, term_signal=None)
    shown.display.tell_ends()
    assert await shown.lines() == [(STDERR, "system | web.2 exited with code 0")]


async def test_readiness_is_told() -> None:
    """Where there is something to wait for."""
    shown = Shown(FakeManager(info(process(pid=1), readiness=Readiness(tcp="80"))))
    shown.hear("ready", pid=1)
    assert await shown.lines() == [(STDERR, "system | web.1 is ready")]
    shown.task.cancel()


async def test_a_place_without_a_process(shown: Shown) -> None:
    """It is known by its number and its node."""
    shown.hear("backoff", index=1, node="n3", reason="no such program", retry_in=2.0)
    assert await shown.lines() == [
        (STDERR, "system | web.2@n3 failed to start: no such program; it is started again in 2.0 s")
    ]


async def test_who_was_gone_before_it_could_be_asked_for(shown: Shown) -> None:
    """It has the manager's number."""
    shown.hear("spawn", pid=9)
    assert await shown.lines() == [(STDERR, "system | web#9 started")]


async def test_a_name_is_kept_beyond_the_end(
    shown: Shown, manager: FakeManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manager does not know it any more when its exit is heard of, or what became of its log."""
    monkeypatch.setattr(module, "_MOST_GONE", 1)
    shown.hear("spawn", pid=1)
    manager.templates.clear()
    shown.hear("exit", pid=1, exit_code=None, term_signal=9)
    shown.hear("reap", pid=1)
    shown.hear("warning", pid=1, text="5 bytes are lost")
    assert (await shown.lines())[1:] == [
        (STDERR, "system | web.1 ended by SIGKILL"),
        (STDERR, "system | web.1: 5 bytes are lost"),
    ]
    shown.hear("reap", pid=2)
    assert shown.display._known == {}


async def test_events_of_templates_are_left_out(shown: Shown) -> None:
    """They say nothing that their processes do not say."""
    shown.hear("start")
    shown.hear("stop")
    assert await shown.lines() == []
