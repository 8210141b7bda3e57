"""A thousand processes, killed at random: none is forgotten, nothing is told twice or not at all."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from asynctask.manager import Manager, ProcessTemplate

pytestmark = [
    pytest.mark.one_loop("a thousand processes; tests/manager/local has both loops"),
    pytest.mark.timeout(300),
]

#: Seconds of killing; ``nox -s soak`` asks for a minute.
SECONDS = float(os.environ.get("ASYNCTASK_SOAK_SECONDS", "0.5"))
TEMPLATES, EACH = 20, 50


class Books:
    """What was told of each process, in order, and who was killed."""

    def __init__(self) -> None:
        self.told: dict[int, list[str]] = {}
        self.counts: Counter[str] = Counter()
        self.running: dict[int, int] = {}
        self.os_pids: set[int] = set()
        self.killed: set[int] = set()
        self.signals: Counter[int] = Counter()

    def hear(self, topic: str, message: dict[str, Any]) -> None:
        """Take an event of a process."""
        event = topic.rsplit(".", 1)[1]
        self.counts[event] += 1
        if "pid" in message:
            self.told.setdefault(message["pid"], []).append(event)
        if event == "exit":
            self.signals[message["term_signal"]] += 1


async def test_a_thousand_processes_killed_at_random(tmp_path: Path) -> None:
    """Each is spawned, ready, over and reaped once; each kill is one exit; none is left."""
    books, chance = Books(), random.Random(7)
    async with Manager(state_dir=tmp_path) as manager:
        manager.subscribe("proc", books.hear)
        await asyncio.gather(
            *(
                manager.load(
                    ProcessTemplate(f"t{number}", ["sleep", "1000"], numprocesses=EACH, flapping=None)
                )
                for number in range(TEMPLATES)
            )
        )
        assert manager.status().processes == TEMPLATES * EACH
        loop = asyncio.get_running_loop()
        end = loop.time() + SECONDS
        while loop.time() < end:
            for process in chance.sample(manager.info(chance.choice(manager.list())).processes, 5):
                if process.pid is not None and process.os_pid is not None and process.pid not in books.killed:
                    books.os_pids.add(process.os_pid)
                    with suppress(ProcessLookupError):
                        os.kill(
                            process.os_pid, chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
                        )
                        books.killed.add(process.pid)
            await asyncio.sleep(0.01)  # it is a matter of time here
        await until(lambda: books.counts["exit"] == len(books.killed))
        await until(lambda: manager.status().processes == TEMPLATES * EACH)
        for name in manager.list():
            await asyncio.sleep(0)
            running = manager.info(name).processes
            books.os_pids |= {each.os_pid for each in running if each.os_pid is not None}
        await manager.stop()
        assert manager.status().processes == 0
    total = TEMPLATES * EACH + len(books.killed)
    assert books.counts == {
        "start": TEMPLATES,
        "spawn": total,
        "ready": total,
        "exit": total,
        "stop_pid": TEMPLATES * EACH,
        "reap": total,
        "stop": TEMPLATES,
    }
    killed, stopped = ["spawn", "ready", "exit", "reap"], ["spawn", "ready", "exit", "stop_pid", "reap"]
    assert books.told == {pid: killed if pid in books.killed else stopped for pid in range(1, total + 1)}
    assert sum(books.signals.values()) == total
    left = []
    for pid in books.os_pids:
        await asyncio.sleep(0)  # after a minute they are many thousands
        if is_ours(pid):
            left.append(pid)
    assert left == []


async def until(holds: Any) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def is_ours(pid: int) -> bool:
    """Whether a number still is one of the processes of the test."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    return False
