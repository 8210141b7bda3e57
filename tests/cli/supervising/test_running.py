"""``asynctask up`` from its first process to its last, with processes that do as they are told."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.screen import Screen
from asynctask.cli.supervising.request import Request
from asynctask.cli.supervising.running import Supervision, execute
from asynctask.cli.supervising.source import Source
from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.control.client import Client
from tests.manager.fakes import FakeLauncher, FakeProcess

pytestmark = pytest.mark.one_loop("no descriptors of processes")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Run:
    """A run, and what it has shown."""

    def __init__(self, supervision: Supervision, launcher: FakeLauncher) -> None:
        self.supervision = supervision
        self.launcher = launcher
        self.task = asyncio.create_task(supervision.run())

    async def until(self, happened: Callable[[], object]) -> None:
        """Wait for what has no event."""
        async with asyncio.timeout(10):
            while not happened():
                assert not self.task.done() or self.task.result() is None, self.err
                await asyncio.sleep(0.001)

    async def processes(self, count: int) -> list[FakeProcess]:
        """So many were started, and nothing else is to be."""
        await self.until(lambda: len(self.launcher.processes) == count and self.supervision._started)
        return self.launcher.processes

    @property
    def out(self) -> str:
        return _shown(1)

    @property
    def err(self) -> list[str]:
        """What was told, without its prefix."""
        return [line.partition("| ")[2] for line in _shown(2).splitlines()]


def _shown(fd: int) -> str:
    """What was written so far. ``capfd.readouterr()`` loses what a thread writes meanwhile."""
    return os.pread(fd, os.fstat(fd).st_size, 0).decode()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Has a Procfile."""
    (tmp_path / "Procfile").write_text("web: serve\nworker: work\n")
    return tmp_path


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """A command line leaves signals as a program that ends finds them."""
    kept = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def start(directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Starts a run; it is over when the block is left."""

    @asynccontextmanager
    async def start(launcher: FakeLauncher | None = None, **options: Any) -> AsyncIterator[Run]:
        request = Request(**{"directory": str(directory), "socket": str(directory / "s"), **options})
        source = Source(request)
        launcher = launcher or FakeLauncher()
        run = Run(Supervision(request, source, source.read(), launcher), launcher)
        try:
            yield run
        finally:
            for process in launcher.processes:
                process.ignores = frozenset()
            if not run.task.done():
                run.supervision._signalled(signal.SIGTERM)
                run.supervision._signalled(signal.SIGTERM)
            await asyncio.gather(run.task, return_exceptions=True)

    return start


def names(run: Run) -> list[str]:
    """Of the templates, in the order in which processes were started."""
    return [each.order.template.name for each in run.launcher.processes]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_all_are_started_and_a_signal_stops_them(start: Any, number: signal.Signals) -> None:
    """In order; then the exit status is 0."""
    async with start() as run:
        web, worker = await run.processes(2)
        web.ears.output("stdout", b"hello\n")
        worker.ears.output("stderr", b"oops\nlast")
        os.kill(os.getpid(), number)
        assert await run.task == 0
    assert names(run) == ["web", "worker"]
    assert run.out == "web.1    | hello\nworker.1 ! oops\nworker.1 ! last\n"
    assert run.err == [
        f"web.1 started (pid {web.os_pid})",
        f"worker.1 started (pid {worker.os_pid})",
        f"{number.name}: stopping web.1, worker.1",
        "web.1 ended by SIGTERM",
        "worker.1 ended by SIGTERM",
    ]
    assert all(process.closed for process in run.launcher.processes)
    assert run.launcher.closed


async def test_the_second_signal_kills(start: Any) -> None:
    """Who does not react to the first; the exit status tells it."""
    launcher = FakeLauncher()
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    async with start(launcher, names=("web",)) as run:
        (web,) = await run.processes(1)
        os.kill(os.getpid(), signal.SIGINT)
        await run.until(lambda: web.signals)
        os.kill(os.getpid(), signal.SIGINT)
        assert await run.task == 130
    assert web.signals == [signal.SIGTERM, signal.SIGKILL]
    assert run.err[1:] == ["SIGINT: stopping web.1", "killing what is left", "web.1 ended by SIGKILL"]


async def test_the_third_signal_leaves(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is left."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr("asynctask.cli.supervising.running._LEAVING", 0.0)
    launcher = FakeLauncher()
    launcher.plan.append(FakeProcess(ignores=[signal.SIGTERM]))
    async with start(launcher, names=("web",)) as run:
        (web,) = await run.processes(1)
        monkeypatch.setattr(FakeProcess, "signal", _stuck)
        for _ in range(3):
            run.supervision._signalled(signal.SIGINT)
        await run.until(lambda: left)
        web.die(signal=9)
        await run.task
    assert left == [130]
    assert "leaving at once" in run.err


async def _stuck(self: FakeProcess, number: int) -> bool:
    return True


async def test_a_signal_while_all_are_started(start: Any) -> None:
    """Nothing more is started."""
    launcher = FakeLauncher()
    launcher.held = asyncio.Event()
    async with start(launcher) as run:
        await run.until(lambda: launcher.attempts == 2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await run.task == 0
    assert (launcher.processes, run.err) == ([], ["SIGTERM: nothing to stop"])


async def test_all_have_ended(start: Any, directory: Path) -> None:
    """Then it ends, too."""
    (directory / "asynctask.toml").write_text(
        '[process.a]\ncommand = "x"\nrestart = "never"\n[process.b]\ncommand = "x"\nrestart = "unexpected"\n'
        '[process.later]\ncommand = "x"\nautostart = false\n'
    )
    async with start() as run:
        first, second = await run.processes(2)
        first.die(0)
        await asyncio.sleep(0.03)
        assert not run.task.done()
        second.die(0)
        assert await run.task == 0
    assert run.err[-2:] == ["b.1 exited with code 0", "all processes have ended"]


async def test_one_has_ended_as_it_should_not(start: Any, directory: Path) -> None:
    """When nothing is left, the exit status is 1."""
    (directory / "asynctask.toml").write_text('[process.a]\ncommand = "x"\nrestart = "never"\n')
    async with start() as run:
        (process,) = await run.processes(1)
        process.die(3)
        assert await run.task == 1


async def test_what_cannot_be_started_is_given_up(start: Any, directory: Path) -> None:
    """It is told why; with nothing else to do that is the end."""
    (directory / "asynctask.toml").write_text(
        '[process.a]\ncommand = "x"\nbackoff = {initial = 0.001, jitter = 0, attempts = 2}\n'
    )
    launcher = FakeLauncher()
    launcher.plan += [LaunchError("x", "no such program")] * 2
    async with start(launcher) as run:
        assert await run.task == 1
    assert run.err == [
        "a.1 failed to start: x: no such program; it is started again in 0.0 s",
        "a.1 is given up: x: no such program",
        "all processes have ended",
    ]


async def test_the_end_of_one_is_the_end_of_all(start: Any) -> None:
    """With its exit status; others are stopped."""
    async with start(exit_with=("web",)) as run:
        web, worker = await run.processes(2)
        worker.die(1)
        await run.processes(3)
        web.die(7)
        assert await run.task == 7
    assert run.err[-3:] == [
        "web.1 exited with code 7",
        "a process of web has ended: stopping worker.1",
        "worker.1 ended by SIGTERM",
    ]


async def test_abort_on_exit(start: Any) -> None:
    """Whichever ends first; a signal counts as in a shell."""
    async with start(abort_on_exit=True) as run:
        _, worker = await run.processes(2)
        worker.die(signal=signal.SIGSEGV)
        assert await run.task == 128 + signal.SIGSEGV


async def test_hup_reads_the_file_again(start: Any, directory: Path) -> None:
    """Only what is different is touched; a file that is wrong changes nothing."""
    async with start() as run:
        await run.processes(2)
        (directory / "Procfile").write_text("web: serve\nworker: another\nnew: x\n")
        os.kill(os.getpid(), signal.SIGHUP)
        web, worker, *_ = await run.processes(4)
        await run.until(lambda: "the file was read again: added: new; changed: worker" in run.err)
        assert (web.signals, worker.signals) == ([], [signal.SIGTERM])
        (directory / "Procfile").write_text("web: other\nhow?\n")
        os.kill(os.getpid(), signal.SIGHUP)
        text = f"nothing was changed: {directory}/Procfile:2: a line is NAME: COMMAND"
        await run.until(lambda: text in run.err)
        assert web.signals == []
    assert len(run.launcher.processes) == 4


async def test_nothing_is_to_run(start: Any) -> None:
    """That is told, since nothing else is to be seen; it goes on."""
    async with start(scale={"web": 0, "worker": 0}) as run:
        await run.until(lambda: run.err)
        assert run.err == ["nothing is to run yet: 'asynctask start' and 'asynctask scale' change that"]
        assert not run.task.done()


async def test_somebody_asks_through_the_socket(start: Any, directory: Path) -> None:
    """It is there while processes run, and the file can be read again by it."""
    async with start() as run:
        await run.processes(2)
        (directory / "Procfile").write_text("web: serve\n")

        def ask() -> Any:
            with Client(directory / "s") as client:
                return client.call("list"), client.call("reread")

        listed, reread = await asyncio.to_thread(ask)
        assert listed == {"names": ["web", "worker"]}
        assert reread == {"added": [], "removed": ["worker"], "changed": [], "failed": {}}
    assert not (directory / "s").exists()


async def test_a_manager_runs_here_already(start: Any) -> None:
    """Nothing is started."""
    async with start() as run:
        await run.processes(2)
        async with start() as other:
            with pytest.raises(ManagerError, match="a manager runs here already"):
                await other.task
        assert other.launcher.attempts == 0
        assert not run.task.done()


async def test_systemd_is_told(
    start: Any, directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """When all are started, when the file is read again, when it ends; processes are not told where."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.setblocking(False)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    heard: list[str] = []

    def listen() -> list[str]:
        try:
            while True:
                heard.append(listener.recv(4096).decode())
        except BlockingIOError:
            return heard

    async with start(daemon=True) as run:
        await run.processes(2)
        assert "NOTIFY_SOCKET" not in os.environ
        os.kill(os.getpid(), signal.SIGHUP)
        await run.until(lambda: sum("READY=1" in each for each in listen()) == 2)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await run.task == 0
    words = [each.partition("\n")[0].partition("=")[0] for each in listen()]
    assert [each for each in words if each != "EXTEND_TIMEOUT_USEC"] == [
        "WATCHDOG",
        "READY",
        "RELOADING",
        "READY",
        "STOPPING",
    ]
    assert any("STATUS=2 processes of 2 templates run" in each for each in heard)
    listener.close()


async def test_a_service_goes_on_when_all_have_ended(start: Any, directory: Path) -> None:
    """They can be started again through the socket."""
    (directory / "asynctask.toml").write_text('[process.a]\ncommand = "x"\nrestart = "never"\n')
    async with start(daemon=True) as run:
        (process,) = await run.processes(1)
        process.die(0)
        await run.until(lambda: "a.1 exited with code 0" in run.err)
        await asyncio.sleep(0.03)
        assert not run.task.done()


async def test_nobody_reads_and_nobody_hangs_up(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a terminal is held by Ctrl-S: what is not shown is given up after a while."""
    held = asyncio.Event()

    class Held(Screen):
        async def write(self, fd: int, data: bytes) -> None:
            await held.wait()

        def give_up(self) -> None:
            held.set()
            super().give_up()

    monkeypatch.setattr("asynctask.cli.supervising.running.Screen", Held)
    monkeypatch.setattr("asynctask.cli.supervising.running._PATIENCE", 0.01)
    monkeypatch.setattr("asynctask.cli.supervising.printing._ROOM", 100)
    monkeypatch.setattr("asynctask.cli.supervising.display._AT_ONCE", 10)
    async with start() as run:
        web, _ = await run.processes(2)
        web.ears.output("stdout", b"x\n" * 1000)
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await run.task == 0


async def test_what_is_detached_is_left(start: Any, directory: Path) -> None:
    """It is told what that is."""
    (directory / "asynctask.toml").write_text('[process.a]\ncommand = "x"\ndetach = true\n')
    async with start() as run:
        (process,) = await run.processes(1)
        os.kill(os.getpid(), signal.SIGINT)
        assert await run.task == 0
    assert process.signals == []
    assert run.err[1:] == ["SIGINT: nothing to stop", f"left running: a.1 (pid {process.os_pid})"]


def test_a_dry_run(directory: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Nothing is started."""
    assert execute(Request(directory=str(directory), dry_run=True)) == 0
    assert capfdbinary.readouterr().out.startswith(b"web: 1 process here\n  runs: serve (by a shell)\n")
