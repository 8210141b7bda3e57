"""The loop of the interactive mode, with lines and runs that are made up."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.interactive.lines import LineClearedError
from asynctask.cli.interactive.past_lines import PastLines
from asynctask.cli.interactive.shell import Shell
from asynctask.cli.request import Request
from asynctask.cli.signals import signals_handled
from asynctask.errors import AsyncTaskError

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


class FakePool:
    """Is asked to close."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


class Session:
    """A shell whose user types what the test says: lines, things to raise, or functions to call."""

    def __init__(self, directory: Path, *typed: Any, size: int = 100, **request: Any) -> None:
        self.requests: list[Request] = []
        self.pools: list[object] = []
        self.made: list[FakePool] = []
        self.status: int | Exception = 0
        self.path = directory / "history"
        self._typed = list(typed)
        values: dict[str, Any] = {"targets": ("web1", "web2", "DB1"), "maxrc": True, **request}
        self.shell = Shell(Request(**values), self._run, self, PastLines(self.path, size), self._pool)

    async def read(self) -> str:
        """The next line."""
        if not self._typed:
            raise EOFError
        typed = self._typed.pop(0)
        if callable(typed):
            typed()
            await asyncio.sleep(20)
        if isinstance(typed, Exception):
            raise typed
        return str(typed)

    def _pool(self) -> Any:
        self.made.append(FakePool())
        return self.made[-1]

    async def _run(self, request: Request, *, pool: object) -> int:
        self.requests.append(request)
        self.pools.append(pool)
        with signals_handled(lambda number: None):
            await asyncio.sleep(0)
        if isinstance(self.status, Exception):
            raise self.status
        return self.status

    @property
    def ran(self) -> list[tuple[str, tuple[str, ...]]]:
        """Commands with their targets."""
        return [(request.command, request.targets) for request in self.requests]


@pytest.fixture
def session(tmp_path: Path) -> Callable[..., Session]:
    """Makes a session."""

    def make(*typed: Any, **more: Any) -> Session:
        return Session(tmp_path, *typed, **more)

    return make


Make = Callable[..., Session]


async def test_commands_run_on_the_nodes(session: Make) -> None:
    """One after the other, with one pool, which is closed at the end; what was typed is kept."""
    made = session("uname -r", "", "uptime", user="bob", fanout=3)

    assert await made.shell.run() == 0

    nodes = ("web1", "web2", "DB1")
    assert made.ran == [("uname -r", nodes), ("uptime", nodes)]
    assert [(request.user, request.fanout, request.maxrc) for request in made.requests] == [
        ("bob", 3, False)
    ] * 2
    assert made.pools == made.made * 2
    assert [pool.closed for pool in made.made] == [1]
    assert made.path.read_text() == "uname -r\nuptime\n"


async def test_no_pool_without_need(session: Make) -> None:
    """It takes asyncssh a while to load."""
    made = session("uptime", "!date", worker="exec")
    await made.shell.run()
    assert (made.pools, made.made) == ([None, None], [])


async def test_nodes_are_chosen(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """Names keep their case; what there was is kept where a choice makes no sense."""
    made = session(
        "@Web[1-2],x", "a", "+DB1,x", "b", "-Web1", "c", "-nosuch", "-Web2,x,DB1", "@a[", "+,", "?",
        "quit", "d",
    )  # fmt: skip

    assert await made.shell.run() == 0

    assert made.ran == [
        ("a", ("Web1", "Web2", "x")),
        ("b", ("Web1", "Web2", "x", "DB1")),
        ("c", ("Web2", "x", "DB1")),
    ]
    out, err = capfd.readouterr()
    assert out.splitlines() == ["Web[1-2],x (3)", "DB1,Web[1-2],x (4)", "DB1,Web2,x (3)", "DB1,Web2,x (3)"]
    assert err.splitlines()[:2] == [
        "asynctask: nosuch: none of these is chosen; ? shows which are",
        "asynctask: no node would be left; choose others with @NODES",
    ]
    assert [line.startswith("asynctask: node set ") for line in err.splitlines()[2:]] == [True, True]


async def test_groups(session: Make, site_groups: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Of the source that was asked for, shown by name if that was asked for and can be done."""
    made = session("@@gpu", "@@nosuch", "?", regroup=True, groupsource="shell")
    await made.shell.run()
    other = session("?", regroup=True)  # a group of the default source is in itself
    await other.shell.run()

    out, err = capfd.readouterr()
    assert out.splitlines() == ["@shell:gpu (2)", "@shell:gpu (2)", "DB1,web[1-2] (3)"]
    assert "nosuch" in err
    assert made.shell.chosen == ("gpu1", "gpu2")


async def test_a_command_here(session: Make) -> None:
    """With its own label, no placeholders, and nothing of what is about nodes."""
    made = session("!date +%H%M", worker="ssh", prefix="sudo", password_prompt=True, retries=3, gather=True)

    await made.shell.run()

    assert made.requests == [
        Request(
            targets=("LOCAL",),
            command="date +%%H%%M",
            worker="exec",
            nostdin=True,
            history=False,
            gather=True,
        )
    ]


async def test_gathering(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """It is turned on and off, and comes back as it was asked for at the start."""
    made = session("a", "=", "b", "=", "c", by_node=True)
    await made.shell.run()
    plain = session("a", "=", "b", "=", "c")
    await plain.shell.run()

    assert [(each.gather, each.by_node) for each in made.requests] == [
        (False, True), (False, False), (False, True),
    ]  # fmt: skip
    assert [each.gather for each in plain.requests] == [False, True, False]
    assert capfd.readouterr().out.splitlines() == [
        "output is shown as it comes",
        "output is gathered",
        "output is gathered",
        "output is shown as it comes",
    ]


async def test_help_and_what_makes_no_sense(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """All is said, and the session goes on."""
    made = session("help", "=x", "uptime")
    await made.shell.run()
    out, err = capfd.readouterr()
    assert "!COMMAND" in out
    assert err == "asynctask: = stands alone; help tells what there is\n\n"
    assert len(made.requests) == 1


async def test_ctrl_c_clears_the_line(session: Make) -> None:
    """The session goes on."""
    made = session(LineClearedError(), "uptime")
    assert await made.shell.run() == 0
    assert len(made.requests) == 1


async def test_ctrl_c_stops_the_command_alone(session: Make) -> None:
    """The next one runs; what was pasted behind the one that was stopped does not."""
    made = session("one\ntwo", "three")
    made.status = 130
    assert await made.shell.run() == 0
    assert [command for command, _ in made.ran] == ["one", "three"]


async def test_pasted_lines(session: Make) -> None:
    """They run one after the other."""
    made = session("one\n\ntwo\nquit\nthree")
    assert await made.shell.run() == 0
    assert [command for command, _ in made.ran] == ["one", "two"]


@pytest.mark.parametrize("status", [0, 1, 3])
async def test_failures_do_not_end_it(session: Make, status: int) -> None:
    """They were shown; the exit status of the session says nothing of them."""
    made = session("one", "two")
    made.status = status
    assert await made.shell.run() == 0
    assert len(made.requests) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_during_a_command(session: Make, number: signal.Signals) -> None:
    """It ends the session with the command."""
    made = session("one", "two")
    made.status = 128 + number
    assert await made.shell.run() == 128 + number
    assert len(made.requests) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_at_the_prompt(session: Make, number: signal.Signals) -> None:
    """It ends the session, also after a command that had the signals for itself."""
    made = session("one", lambda: signal.raise_signal(number), "two")
    assert await made.shell.run() == 128 + number
    assert len(made.requests) == 1
    assert signal.getsignal(number) is signal.SIG_DFL


async def test_an_interrupt_from_elsewhere(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """It is as Ctrl-C: the line is cleared."""
    made = session(lambda: signal.raise_signal(signal.SIGINT), "one")
    assert await made.shell.run() == 0
    assert len(made.requests) == 1
    assert capfd.readouterr().err == "\n\n"


async def test_a_signal_that_is_ignored(session: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays so, as under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    made = session("one")
    assert await made.shell.run() == 0
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    signal.signal(signal.SIGHUP, before)


async def test_a_run_that_cannot_be(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """It says why, and the session goes on."""
    made = session("one", "two")
    made.status = AsyncTaskError("no such worker")
    assert await made.shell.run() == 0
    assert capfd.readouterr().err == "asynctask: no such worker\n" * 2 + "\n"


async def test_a_full_disk(session: Make, capfd: pytest.CaptureFixture[str]) -> None:
    """Output that cannot be written is said; the next may go elsewhere."""
    made = session("one", "two")
    made.status = OSError(errno.ENOSPC, "No space left on device", "standard output")
    assert await made.shell.run() == 0
    assert capfd.readouterr().err == "asynctask: standard output: No space left on device\n" * 2 + "\n"


async def test_nobody_reads(session: Make) -> None:
    """That is the end, and connections are closed."""
    made = session("one", "two")
    made.status = BrokenPipeError(errno.EPIPE, "Broken pipe", "standard output")
    with pytest.raises(BrokenPipeError):
        await made.shell.run()
    assert len(made.requests) == 1
    assert made.made[0].closed == 1


async def test_lines_that_cannot_be_kept(
    session: Make, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said once."""
    made = session("one", "two")
    made.path.mkdir()
    await made.shell.run()
    assert capfd.readouterr().err == (
        "asynctask: what you type is not kept for the next time: Is a directory\n\n"
    )


async def test_cancelled(session: Make) -> None:
    """As any coroutine: connections are closed, signals are free."""
    made = session("one", lambda: None)
    running = asyncio.create_task(made.shell.run())
    async with asyncio.timeout(20):
        while made.shell._reading is None or made._typed:
            await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert made.made[0].closed == 1
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


async def test_a_terminal_that_is_gone(session: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be said is not said."""
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "")))
    made = session("=x", size=0)
    assert await made.shell.run() == 0
