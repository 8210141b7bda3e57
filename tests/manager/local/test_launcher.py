"""Tests of asynctask.manager.local.launcher."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from asynctask.errors import LaunchError
from asynctask.manager.launching import Exit, Order
from asynctask.manager.local import launcher as module
from asynctask.manager.local import spawning
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.template import ProcessTemplate
from tests.manager.local.conftest import Heard, Launch
from tests.support import children, turns


class FakeGuard:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def start(self) -> None:
        self.told.append(("start",))

    def marked(self, env: Mapping[str, str]) -> dict[str, str]:
        return {**env, "MARK": "it"}

    def watch(self, pid: int, *, stop_signal: int = signal.SIGTERM, grace: float = 10.0) -> None:
        self.told.append(("watch", pid, stop_signal, grace))

    def forget(self, pid: int) -> None:
        self.told.append(("forget", pid))

    async def aclose(self) -> None:
        self.told.append(("aclose",))


@pytest.fixture
def guard() -> FakeGuard:
    """Who would end processes if we died."""
    return FakeGuard()


@pytest_asyncio.fixture
async def launcher(guard: FakeGuard) -> AsyncIterator[LocalLauncher]:
    """One with a guard."""
    made = LocalLauncher(guard=guard)
    yield made
    await made.aclose()
    assert guard.told[-1] == ("aclose",)


def order(*command: str, index: int | None = 0, **fields: Any) -> Order:
    """An order for one process."""
    return Order(ProcessTemplate("test", command, **fields), 1, index)


# -- the guard ----------------------------------------------------------------------------------


async def test_the_guard_is_told_of_a_life(launcher: LocalLauncher, guard: FakeGuard) -> None:
    """It is there before the process is; it forgets it when nothing is left of it."""
    heard = Heard()
    running = await launcher.launch(
        order("/bin/sh", "-c", "echo $$MARK", stop_signal="INT", graceful_timeout=3.0), heard
    )
    await running.wait()
    await running.aclose()
    pid = running.os_pid
    assert guard.told == [("start",), ("watch", pid, signal.SIGINT, 3.0), ("forget", pid)]
    assert heard.output_of == {"stdout": b"it\n"}


async def test_a_group_is_watched_until_its_last_member_has_gone(
    launcher: LocalLauncher, guard: FakeGuard
) -> None:
    """Its leader's exit is not the end."""
    running = await launcher.launch(order("/bin/sh", "-c", "sleep 60 >/dev/null 2>&1 &"), Heard())
    await running.wait()
    assert [each[0] for each in guard.told] == ["start", "watch"]
    await running.signal(signal.SIGKILL)
    await running.group_gone()
    await running.aclose()
    assert [each[0] for each in guard.told] == ["start", "watch", "forget"]


async def test_what_could_not_be_started_is_forgotten(launcher: LocalLauncher, guard: FakeGuard) -> None:
    """There may have been a process for a moment."""
    with pytest.raises(LaunchError):
        await launcher.launch(order("/no/such", custom_streams=["data"]), Heard())
    assert [each[0] for each in guard.told] == ["start", "watch", "forget"]
    with pytest.raises(LaunchError):
        await launcher.launch(order("/no/such"), Heard())
    assert [each[0] for each in guard.told[3:]] == ["start"]


async def test_a_real_guard() -> None:
    """It is there unless it is not wanted, and ends with the launcher."""
    launcher = LocalLauncher()
    running = await launcher.launch(order("/bin/sh", "-c", "exit 3"), Heard())
    assert await running.wait() == Exit(3)
    await running.aclose()
    assert len(children()) == 1
    await launcher.aclose()
    assert children() == set()


# -- starting -----------------------------------------------------------------------------------


async def test_cancelling_starts_nothing(launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while a user is looked up."""
    looked_up = asyncio.Event()

    async def hang(*args: object) -> None:
        looked_up.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "program_of", hang)
    launching = asyncio.create_task(launcher.launch(order("true"), Heard()))
    await looked_up.wait()
    launching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await launching
    assert children() == set()


async def test_one_process_is_started_in_each_turn_of_the_loop(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have their turn in between, however many are to be started."""
    happened: list[str] = []
    popen = spawning._popen

    def started(*args: Any, **more: Any) -> Any:
        happened.append("start")
        return popen(*args, **more)

    monkeypatch.setattr(spawning, "_popen", started)
    starting = [asyncio.ensure_future(launch(["/bin/true"])) for _ in range(5)]
    while not all(each.done() for each in starting):
        happened.append("turn")
        await asyncio.sleep(0)
    text = " ".join(happened)
    assert text.count("start") == 5
    assert "start start" not in text


async def test_many_at_once(launch: Launch) -> None:
    """Each has its own output and exit; nothing is left of them."""
    started = await asyncio.gather(*(launch(f"echo {number}; exit {number}") for number in range(60)))
    ends = await asyncio.gather(*(each.end() for each in started))
    assert ends == [Exit(number) for number in range(60)]
    assert [each.stdout for each in started] == [b"%d\n" % number for number in range(60)]
    assert children() == set()


async def test_a_start_is_quick(launch: Launch) -> None:
    """The best of some, for others work here, too."""
    times = []
    for _ in range(10):
        began = time.perf_counter()
        started = await launch(["/bin/true"])
        times.append(time.perf_counter() - began)
        await started.end()
    assert min(times) < 0.01


async def test_who_is_left_is_no_concern_of_ours() -> None:
    """A launcher that is closed watches nobody any more, and does not complain."""
    launcher = LocalLauncher(guard=False)
    running = await launcher.launch(order("/bin/sleep", "60"), Heard())
    await running.aclose()
    await launcher.aclose()
    assert running.os_pid is not None
    os.kill(running.os_pid, signal.SIGKILL)
    os.waitpid(running.os_pid, 0)


async def test_a_detached_process_is_found_again(tmp_path: Path) -> None:
    """By the next manager of this name; one that is run once has no place to be found in."""
    first = LocalLauncher(name="m", state_dir=tmp_path / "state")
    begun = await first.launch(order("/bin/sleep", "60", detach=True), Heard())
    once = await first.launch(order("/bin/true", index=None, detach=True), Heard())
    await once.wait()
    await once.aclose()
    await begun.aclose()
    await first.aclose()
    second = LocalLauncher(name="m", state_dir=tmp_path / "state")
    again = await second.launch(order("/bin/sleep", "60", detach=True), Heard())
    assert (begun.found, once.found, again.found) == (False, False, True)
    assert again.os_pid == begun.os_pid
    assert again.os_pid is not None
    await again.signal(signal.SIGKILL)
    os.waitpid(again.os_pid, 0)
    await again.wait()
    await again.aclose()
    await second.aclose()


# -- checks -------------------------------------------------------------------------------------


async def test_a_check_tells_how_it_ended(launch: Launch) -> None:
    """Only 0 is well; what cannot be executed is not."""
    running = (await launch("exec sleep 60")).running
    assert await running.check(["true"], 20.0)
    assert not await running.check(["false"], 20.0)
    assert not await running.check(["no-such-program"], 20.0)


async def test_a_check_runs_where_its_process_does(launch: Launch, tmp_path: Path) -> None:
    """In its directory, with its environment, as its user; it is not heard."""
    fields = {"cwd": str(tmp_path), "env": {"X": "1"}, "user": "nobody" if os.geteuid() == 0 else None}
    started = await launch("exec sleep 60", **fields)
    user = "nobody" if os.geteuid() == 0 else "$(id -un)"
    script = f'echo heard; [ "$PWD" = "{tmp_path}" ] && [ "$X" = 1 ] && [ "$(id -un)" = {user} ]'
    tmp_path.chmod(0o755)
    assert await started.running.check(["/bin/sh", "-c", script], 20.0)
    assert started.output == {}


async def test_a_check_has_an_end(launch: Launch) -> None:
    """After its time it is killed with all that it has started."""
    running = (await launch("exec sleep 60")).running
    assert not await running.check(["/bin/sh", "-c", "sleep 60 & sleep 60"], 0.02)
    assert len(children()) == 1
    assert not await running.check(["/bin/sh", "-c", "sleep 60 & exit 1"], 20.0)
    assert len(children()) == 1


async def test_a_check_that_is_given_up(launch: Launch) -> None:
    """Nothing is left of it."""
    running = (await launch("exec sleep 60")).running
    checking = asyncio.create_task(running.check(["/bin/sleep", "60"], 20.0))
    while len(children()) < 2:
        await turns(1)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert len(children()) == 1


async def test_a_check_that_cannot_be_made_says_nothing(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no descriptor left, the process is not to blame."""
    running = (await launch("exec sleep 60")).running

    async def short(*args: object) -> None:
        raise LaunchError("true", "no file descriptor is left for it", temporary=True)

    monkeypatch.setattr(module, "spawn", short)
    with pytest.raises(LaunchError):
        await running.check(["true"], 20.0)
