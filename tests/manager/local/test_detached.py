"""Tests of asynctask.manager.local.detached."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import LaunchError, ManagerError
from asynctask.manager.launching import Exit, Running
from asynctask.manager.local.guard import GUARD_NAME
from asynctask.manager.local.statefile import TOKEN, Record
from asynctask.manager.template import LogFile, ProcessTemplate
from tests.manager.local.detaching import Keeper, environment_of, is_living, wait_gone

MakeKeeper = Callable[..., Keeper]


@pytest.fixture
async def keeper(tmp_path: Path) -> AsyncIterator[MakeKeeper]:
    """Makes managers of one name and directory; at the end all that they have left behind is ended."""
    made: list[Keeper] = []

    def make() -> Keeper:
        made.append(Keeper(tmp_path / "state"))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()
    last = Keeper(tmp_path / "state")
    await last.detached.end_strays({})
    await last.aclose()
    with suppress(ChildProcessError):  # to the next manager they were no children; here they are
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _template(script: str, **fields: Any) -> ProcessTemplate:
    return ProcessTemplate("web", script, shell=True, detach=True, **fields)


def _records(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state").glob("*.json"))


def _kill(pid: int) -> None:
    """End it, as the system does when its parent has gone."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


async def _end(running: Running) -> Exit:
    await running.signal(signal.SIGKILL)
    how = await running.wait()
    await running.aclose()
    return how


async def _leave(keeper: Keeper, running: Running) -> int:
    """As a manager does that ends."""
    await running.aclose()
    await keeper.aclose()
    assert running.os_pid is not None
    return running.os_pid


SLEEP = _template("exec sleep 60")


async def test_a_process_is_started_and_ends(keeper: MakeKeeper, tmp_path: Path) -> None:
    """Its exit is known, as that of each child; then nothing is remembered of it."""
    running = await keeper().launch(_template("exit 3"))
    assert not running.found
    assert await running.wait() == Exit(3)
    assert len(_records(tmp_path)) == 1
    await running.aclose()
    assert _records(tmp_path) == []


async def test_it_outlives_its_manager_and_is_found(keeper: MakeKeeper) -> None:
    """By the next one of its name; once, and then again."""
    first = keeper()
    pid = await _leave(first, await first.launch(SLEEP))
    assert is_living(pid)
    second = keeper()
    running = await second.launch(SLEEP)
    assert running.found
    assert running.os_pid == pid
    assert second.ears.warnings == []
    assert await _leave(second, running) == pid
    third = keeper()
    assert await _end(await third.launch(SLEEP)) in (Exit(None, signal.SIGKILL), Exit(None))


async def test_nobody_finds_the_same_process_twice(keeper: MakeKeeper) -> None:
    """Who comes second gets one of its own."""
    first = keeper()
    pid = await _leave(first, await first.launch(SLEEP))
    second = keeper()
    found, other = await asyncio.gather(second.launch(SLEEP), second.launch(SLEEP))
    assert sorted((found.found, other.found)) == [False, True]
    assert pid in (found.os_pid, other.os_pid)
    assert found.os_pid != other.os_pid
    await _end(found)
    await _end(other)


def _descriptors(pid: int) -> Iterator[tuple[int, str]]:
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # it was just starting, and had something open for a moment
            yield int(each.name), str(each.readlink())


async def test_neither_mark_nor_streams_of_the_manager(
    keeper: MakeKeeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the manager itself runs under a guard."""
    monkeypatch.setenv(GUARD_NAME, "outer")
    running = await keeper().launch(SLEEP)
    assert running.os_pid is not None
    while not (environment := environment_of(running.os_pid)):  # it executes another program just now
        await asyncio.sleep(0.001)
    assert GUARD_NAME not in environment
    assert TOKEN in environment
    streams = dict(_descriptors(running.os_pid))
    assert [streams.pop(fd) for fd in (0, 1, 2)] == [os.devnull] * 3
    assert not [each for each in streams.values() if each.startswith(("pipe:", "socket:", str(tmp_path)))]
    await _end(running)


async def test_it_writes_its_log_by_itself(keeper: MakeKeeper, tmp_path: Path) -> None:
    """Into directories that are made; what was there stays."""
    log = LogFile(path="logs/%(name)s.%(index)s.%(stream)s")
    template = _template("echo out; echo err >&2", cwd=str(tmp_path), stdout=log, stderr=log)
    first = keeper()
    for _ in range(2):
        running = await first.launch(template, 4)
        await running.wait()
        await running.aclose()
    assert (tmp_path / "logs/web.4.stdout").read_text() == "out\nout\n"
    assert (tmp_path / "logs/web.4.stderr").read_text() == "err\nerr\n"


async def test_standard_error_goes_with_standard_output(keeper: MakeKeeper, tmp_path: Path) -> None:
    """In the order in which they were written."""
    log = LogFile(path=str(tmp_path / "log"))
    running = await keeper().launch(_template("echo 1 >&2; echo 2; echo 3 >&2", stdout=log, stderr="stdout"))
    await running.wait()
    await running.aclose()
    assert (tmp_path / "log").read_text() == "1\n2\n3\n"


async def test_what_ended_meanwhile_is_started_again(keeper: MakeKeeper, tmp_path: Path) -> None:
    """The old record goes."""
    first = keeper()
    pid = await _leave(first, await first.launch(SLEEP))
    _kill(pid)
    running = await keeper().launch(SLEEP)
    assert not running.found
    assert len(_records(tmp_path)) == 1
    await _end(running)


async def test_what_is_left_of_its_group_is_ended_before(keeper: MakeKeeper, tmp_path: Path) -> None:
    """Else two would do the same work."""
    template = _template("sleep 60 & echo $! >pid; wait", cwd=str(tmp_path))
    first = keeper()
    pid = await _leave(first, await first.launch(template))
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        await asyncio.sleep(0.005)
    child = int((tmp_path / "pid").read_text())
    _kill(pid)
    assert is_living(child)
    assert await keeper().find(template) is None
    assert not is_living(child)
    assert _records(tmp_path) == []


async def test_its_number_may_be_another_process_s_by_now(keeper: MakeKeeper, tmp_path: Path) -> None:
    """That one is left alone."""
    first = keeper()
    pid = await _leave(first, await first.launch(SLEEP))
    record = _records(tmp_path)[0]
    text = record.read_text()
    record.write_text(text.replace('"start": ', '"start": 1'))
    assert await keeper().find(SLEEP) is None
    assert is_living(pid)
    assert _records(tmp_path) == []
    record.write_text(text)


async def test_a_record_of_an_earlier_start_of_the_machine(keeper: MakeKeeper, tmp_path: Path) -> None:
    """Nothing of that time runs any more."""
    first = keeper()
    await _leave(first, await first.launch(SLEEP))
    record = _records(tmp_path)[0]
    text = record.read_text()
    record.write_text(text.replace('"boot": "', '"boot": "x'))
    assert await keeper().find(SLEEP) is None
    record.write_text(text)


@pytest.mark.parametrize("keep", [0, 30], ids=["nothing", "half"])
async def test_a_damaged_record_still_leads_to_its_process(
    keeper: MakeKeeper, tmp_path: Path, keep: int
) -> None:
    """By the token that both have; the record is mended."""
    first = keeper()
    pid = await _leave(first, await first.launch(SLEEP))
    record = _records(tmp_path)[0]
    record.write_bytes(record.read_bytes()[:keep])
    running = await keeper().launch(SLEEP)
    assert running.os_pid == pid
    assert f'"pid": {pid}'.encode() in record.read_bytes()
    await _end(running)


async def test_it_was_started_with_another_template(keeper: MakeKeeper) -> None:
    """It is kept, and the operator is told."""
    first = keeper()
    await _leave(first, await first.launch(SLEEP))
    second = keeper()
    running = await second.launch(replace(SLEEP, env={"A": "b"}))
    assert running.found
    assert second.ears.warnings == [
        "it was found running, started with another template than this; a restart applies it"
    ]
    await _end(running)


async def test_one_whose_index_nobody_has_is_taken(keeper: MakeKeeper) -> None:
    """A reload has given it another; one within the number of processes is left for its own place."""
    first = keeper()
    pids = [(await first.launch(SLEEP, index)).os_pid for index in (1, 2)]
    await first.aclose()
    second = keeper()
    template = replace(SLEEP, numprocesses=2)
    running = [await second.launch(template, 0), await second.launch(template, 1)]
    assert [each.os_pid for each in running] == [pids[1], pids[0]]
    for each in running:
        await _end(each)


async def test_strays_are_ended(keeper: MakeKeeper, tmp_path: Path) -> None:
    """Not those that a place has, or will have, nor those that are spared."""
    first = keeper()
    await first.launch(SLEEP)
    other = await first.launch(replace(SLEEP, name="other"), 5)
    more = await first.launch(SLEEP, 1)
    await first.launch(replace(SLEEP, name="spared"), 0)
    await first.launch(replace(SLEEP, name="loaded"), 3)
    await first.aclose()
    second = keeper()
    running = await second.launch(SLEEP)
    ended = await second.detached.end_strays({"web": 1, "loaded": 1}, ["spared"])
    assert [(each.name, each.index, each.pid) for each in ended] == [
        ("other", 5, other.os_pid),
        ("web", 1, more.os_pid),
    ]
    assert not is_living(other.os_pid or 0)
    assert await second.detached.end_strays({"web": 1, "loaded": 1}, ["spared"]) == []
    await _end(running)
    assert [path.name.split(".")[0] for path in _records(tmp_path)] == ["loaded", "spared"]


async def test_a_stray_is_ended_as_it_was_to_be(keeper: MakeKeeper, tmp_path: Path) -> None:
    """With the stop signal of its template, which nobody has any more; and with its group."""
    script = f"trap 'echo hup >{tmp_path}/told; exit' HUP; echo up >{tmp_path}/told; sleep 60 & wait"
    first = keeper()
    await first.launch(_template(script, stop_signal="HUP", graceful_timeout=30))
    async with asyncio.timeout(5):
        while not (tmp_path / "told").exists():
            await asyncio.sleep(0.005)
    await first.aclose()
    assert len(await keeper().detached.end_strays({})) == 1
    assert (tmp_path / "told").read_text() == "hup\n"


async def test_no_place_takes_a_stray_that_is_being_ended(keeper: MakeKeeper) -> None:
    """Another process is started there."""
    first = keeper()
    left = await first.launch(_template("trap '' TERM; sleep 60 & wait", graceful_timeout=0.2))
    await first.aclose()
    second = keeper()
    ending = asyncio.create_task(second.detached.end_strays({}))
    async with asyncio.timeout(5):
        while not second.detached._claims:
            await asyncio.sleep(0.001)
    running = await second.launch(SLEEP)
    assert (running.found, running.os_pid == left.os_pid) == (False, False)
    assert [each.pid for each in await ending] == [left.os_pid]
    await _end(running)


async def test_where_nothing_was_detached_nothing_is_made(keeper: MakeKeeper, tmp_path: Path) -> None:
    """No directory, no lock."""
    first = keeper()
    assert await first.detached.end_strays({}) == []
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").mkdir()
    assert await first.detached.end_strays({}) == []
    assert list((tmp_path / "state").iterdir()) == []


async def test_two_managers_of_one_name(keeper: MakeKeeper) -> None:
    """The second cannot launch anything, and is told why."""
    first = keeper()
    running = await first.launch(SLEEP)
    with pytest.raises(LaunchError, match=r"^template 'web': manager 'test': another one of this name runs"):
        await keeper().launch(SLEEP)
    with pytest.raises(ManagerError, match="another one of this name runs already"):
        await keeper().detached.end_strays({})
    await _end(running)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"stdout": LogFile(path="/dev/null/log")}, "log '/dev/null/log': not a directory"),
        ({"cwd": "/nowhere"}, "cwd '/nowhere': no such directory"),
    ],
)
async def test_what_cannot_be_started(
    keeper: MakeKeeper, tmp_path: Path, fields: dict[str, Any], error: str
) -> None:
    """Nothing is remembered of it."""
    first = keeper()
    with pytest.raises(LaunchError) as caught:
        await first.launch(_template("true", **fields))
    assert str(caught.value) == error
    assert _records(tmp_path) == []
    assert await first.detached.end_strays({}) == []


async def test_without_a_record_it_is_not_left_running(
    keeper: MakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would find it again."""
    first = keeper()
    write = first.detached._directory.write
    calls: list[Record] = []

    def full(record: Record) -> None:
        calls.append(record)
        if len(calls) == 2:
            raise ManagerError("the disk is full")
        write(record)

    monkeypatch.setattr(first.detached._directory, "write", full)
    with pytest.raises(LaunchError, match="the disk is full"):
        await first.launch(SLEEP)
    assert not is_living(calls[1].pid or 0)
    assert await first.detached.end_strays({}) == []


@pytest.mark.parametrize("turns", [1, 5, 20, 60])
async def test_cancelling_a_launch_leaves_nothing(keeper: MakeKeeper, turns: int, tmp_path: Path) -> None:
    """Or it was launched already."""
    first = keeper()
    launching = asyncio.create_task(first.launch(SLEEP))
    for _ in range(turns):
        await asyncio.sleep(0.0002)
    launching.cancel()
    await asyncio.wait([launching])
    if launching.cancelled():
        assert await first.detached.end_strays({}) == []
        assert _records(tmp_path) == []
    else:
        await _end(launching.result())


_MANAGER = """
import asyncio, sys
from pathlib import Path
from asynctask.manager.launching import Order
from asynctask.manager.local.launcher import LocalLauncher
from asynctask.manager.template import ProcessTemplate
from tests.manager.local.detaching import Hearer

async def main():
    launcher = LocalLauncher(name="test", state_dir=Path(sys.argv[1]))
    kept = ProcessTemplate("kept", ["sleep", "60"])
    detached = ProcessTemplate("web", ["sleep", "60"], detach=True, env={"OF_TEST": sys.argv[1]})
    running = await launcher.launch(Order(kept, 1, 0), Hearer())
    print(running.os_pid, launcher._guard.pid, flush=True)
    for index in range(1000):
        await launcher.launch(Order(detached, 2 + index, index), Hearer())

asyncio.run(main())
"""


@pytest.mark.one_loop("its manager has one")
@pytest.mark.parametrize("delay", [0.004, 0.02])
async def test_a_manager_is_killed_while_it_starts_some(
    keeper: MakeKeeper, tmp_path: Path, delay: float
) -> None:
    """At whatever moment: the next finds each that runs, and no other; what was not detached is ended."""
    argv = [sys.executable, "-c", _MANAGER, str(tmp_path / "state")]
    await asyncio.to_thread(_start_and_kill, argv, delay)
    living = await asyncio.to_thread(_living_of, tmp_path / "state")
    found = await keeper().detached.end_strays({})
    assert sorted(stray.pid or 0 for stray in found) == living
    assert len({stray.index for stray in found}) == len(found)
    assert (_records(tmp_path), _living_of(tmp_path / "state")) == ([], [])


def _start_and_kill(argv: list[str], delay: float) -> None:
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as manager:
        assert manager.stdout is not None
        kept, guard = map(int, manager.stdout.readline().split())
        time.sleep(delay)
        manager.kill()
    wait_gone(guard, kept)


def _living_of(state: Path) -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            if environment_of(int(name)).get("OF_TEST") == str(state) and is_living(int(name)):
                found.append(int(name))
        except OSError:
            continue
    return sorted(found)
