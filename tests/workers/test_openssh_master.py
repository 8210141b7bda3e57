"""Tests of asynctask.workers.openssh_master: a program that logs to a pipe with a name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from asynctask.processes import Spawner
from asynctask.workers import openssh_master as module
from asynctask.workers.openssh_master import Master, output_of
from tests.support import children


@pytest_asyncio.fixture
async def spawner() -> AsyncIterator[Spawner]:
    """One, closed afterwards."""
    made = Spawner()
    yield made
    await made.aclose()


def start(spawner: Spawner, directory: Path, script: str) -> Master:
    """Run a script that logs to ``$0``."""
    log = str(directory / "log")
    return Master(["/bin/sh", "-c", script, log], log, spawner)


async def test_ready(spawner: Spawner, tmp_path: Path) -> None:
    """It is, when the log says so; ending it takes all that it has started."""
    script = 'echo "debug1: Entering interactive session." > "$0"; sleep 1000 & wait'
    made = start(spawner, tmp_path, script)
    assert await asyncio.wait_for(made.wait_ready(), 5)
    await made.end()
    assert children() == set()
    assert list(tmp_path.iterdir()) == []


async def test_told_again(spawner: Spawner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that goes to sleep on a signal is woken by the next, long before it would be killed."""
    monkeypatch.setattr(module, "_GRACE", 60.0)
    monkeypatch.setattr(module, "_END_WAIT", 60.0)
    trap = "trap 'n=x$n; test $n = xx && echo bye >\"$0.bye\" && exit' TERM; "
    ready = 'echo "debug1: Entering interactive session." > "$0"; '
    made = start(spawner, tmp_path, f"{trap}{ready}while :; do sleep 1000; done")
    assert await asyncio.wait_for(made.wait_ready(), 5)
    await asyncio.wait_for(made.end(), 10)
    assert (tmp_path / "log.bye").read_text() == "bye\n"
    assert children() == set()


async def test_ended_before(spawner: Spawner, tmp_path: Path) -> None:
    """All that it said is there: log, and noise."""
    made = start(spawner, tmp_path, 'echo noise; echo hum >&2; echo one > "$0"; echo two > "$0"; exit 255')
    assert not await asyncio.wait_for(made.wait_ready(), 5)
    assert (made.log.lines, made.noise, made.why_lost()) == (["one", "two"], "noise\nhum\n", "two")
    await made.end()


async def test_noise_is_bounded(spawner: Spawner, tmp_path: Path) -> None:
    """The last of it is kept."""
    made = start(spawner, tmp_path, "head -c 100000 /dev/zero; echo over")
    assert not await asyncio.wait_for(made.wait_ready(), 5)
    assert (len(made.noise), made.noise[-5:]) == (4096, "over\n")
    await made.end()


async def test_not_started(spawner: Spawner, tmp_path: Path) -> None:
    """Nothing is left."""
    with pytest.raises(FileNotFoundError):
        Master([str(tmp_path / "nope")], str(tmp_path / "log"), spawner)
    assert list(tmp_path.iterdir()) == []


async def test_output(spawner: Spawner) -> None:
    """A program to its end, its streams apart."""
    argv = ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]
    assert await asyncio.wait_for(output_of(argv, spawner), 5) == (3, "out\n", "err\n")


async def test_output_cancelled(spawner: Spawner) -> None:
    """It is ended."""
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(output_of(["/bin/sleep", "1000"], spawner), 0.1)
    assert children() == set()
