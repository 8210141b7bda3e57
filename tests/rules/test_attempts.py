"""Tests of asynctask.rules.attempts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from asynctask.emitter import EventEmitter
from asynctask.outcome import Outcome
from asynctask.rules.attempts import Attempts, Tail
from asynctask.rules.happening import Happening
from asynctask.ssh.options import SSHOptions
from asynctask.ssh.pool import ConnectionPool
from asynctask.testing.cluster import Cluster
from tests.rules.support import HOSTILE, happening, rule
from tests.support import Recorder, Scripted, children


class _Pauses:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def test_a_command_here(tmp_path: Path) -> None:
    """It has the event as words and as variables."""
    recorder = Recorder()
    async with EventEmitter() as emitter:
        done = await Attempts(emitter, handler=recorder).carry_out(
            rule('echo %{name} "$ASYNCTASK_EVENT" %h %n; cat', stdin="urls"), (), [happening("a b")]
        )
    assert (done.ok, done.attempts) == (True, 1)
    assert recorder.of("r")[1:3] == ["read r stdout a b created r 0", "read r stdout file:///inbox/a%20b"]


async def test_only_where_it_failed_it_is_tried_again(tmp_path: Path) -> None:
    """With pauses, until it went well everywhere."""
    command = f"echo x >> {tmp_path}/%h; test %h != b -o $(wc -l < {tmp_path}/%h) = 3"
    pauses = _Pauses()
    async with EventEmitter() as emitter:
        done = await Attempts(emitter, sleep=pauses).carry_out(
            rule(command, nodes="[a-c]", worker="exec", retries=5, retry_delay=8),
            ("a", "b", "c"),
            [happening()],
        )
    assert (done.ok, done.attempts) == (True, 3)
    assert [len((tmp_path / node).read_text()) // 2 for node in "abc"] == [1, 3, 1]
    assert [4 <= pauses.seconds[0] <= 8, 8 <= pauses.seconds[1] <= 16, len(pauses.seconds)] == [True, True, 2]


async def test_what_failed_in_the_end() -> None:
    """Who, how, and the last of what was printed; ``%n`` is the same each time."""
    async with EventEmitter() as emitter:
        done = await Attempts(emitter, sleep=_Pauses()).carry_out(
            rule("echo err >&2; exit %n", worker="exec", nodes="x", retries=1),
            ("a", "b"),
            [happening()],
        )
    assert (done.attempts, done.reason) == (2, "b: failed with exit code 1")
    assert done.output == {"b": b"err\n"}
    assert [each.node for each in done.failed] == ["b"]


async def test_a_timeout_is_a_failure() -> None:
    """The command is stopped."""
    async with EventEmitter() as emitter:
        done = await Attempts(emitter).carry_out(rule("sleep 60", timeout=0.01), (), [happening()])
    assert [each.outcome for each in done.failed] == [Outcome.TIMED_OUT]


async def test_an_event_without_what_the_command_names() -> None:
    """Nothing is run."""
    async with EventEmitter() as emitter:
        done = await Attempts(emitter).carry_out(rule("rm %{path}"), (), [Happening(topic="t")])
    assert (done.attempts, done.reason) == (0, "the event has no path, and the command names %{path}")


async def test_its_events_are_published() -> None:
    """As those of a task of its name."""
    heard: list[str] = []
    async with EventEmitter() as emitter:
        emitter.subscribe("task.r", lambda topic, record: heard.append(topic.rpartition(".")[2]))
        await Attempts(emitter).carry_out(rule("echo x"), (), [happening()])
        await asyncio.sleep(0)
    assert heard == ["start", "pickup", "read", "hup", "end", "close"]


async def test_cancelling_stops_the_command() -> None:
    """Nothing of it is left."""
    started = asyncio.Event()
    async with EventEmitter() as emitter:
        emitter.subscribe("task.r.read", lambda topic, record: started.set())
        attempts = Attempts(emitter)
        running = asyncio.create_task(attempts.carry_out(rule("echo x; sleep 60"), (), [happening()]))
        async with asyncio.timeout(10):
            await started.wait()
        assert attempts.active_nodes() == ["r"]
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert attempts.active_nodes() == []
    assert not children()


async def test_hostile_names_on_nodes(asynctask_cluster: Cluster) -> None:
    """By SSH, as words and as variables: each arrives as it is, and runs nothing."""
    settings: dict[str, Any] = {"nodes": "x", "retries": 0}
    command = (
        'printf "%%s\\\\0" %{name} "$ASYNCTASK_NAME" "$ASYNCTASK_PATH" | od -An -v -tx1 | tr -d " \\n"; ls'
    )
    node = asynctask_cluster.nodes[0]
    ssh = SSHOptions(config=asynctask_cluster.ssh_config)
    async with EventEmitter() as emitter, ConnectionPool() as pool:
        for name in HOSTILE:
            tail = Tail()
            attempts = Attempts(emitter, pool, ssh, tail)
            done = await attempts.carry_out(rule(command, **settings), (node,), [happening(name)])
            assert done.ok
            data = name.encode(errors="surrogateescape")
            assert bytes.fromhex(tail.output[node].decode()) == b"%b\0%b\0/inbox/%b\0" % (data, data, data)


def test_the_tail_is_bounded() -> None:
    """The last is kept."""
    tail = Tail()
    worker: Any = Scripted
    tail._ev_lines(worker, "a", "stdout", [b"x" * 10_000, b"y"])
    tail._ev_lines(worker, "a", "stderr", [b"z"])
    assert (len(tail.output["a"]), tail.output["a"][-5:]) == (4096, b"x\ny\nz\n"[-5:])
