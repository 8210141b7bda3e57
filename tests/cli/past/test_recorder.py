"""Records a run while it goes on."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.past import journal as journal_module
from asynctask.cli.past import recorder as recorder_module
from asynctask.cli.past.database import connect
from asynctask.cli.past.planning import mark
from asynctask.cli.past.reading import read_run
from asynctask.cli.past.recorder import LiveRecorder, Recorder
from asynctask.cli.past.records import Output
from asynctask.cli.request import Request
from asynctask.outcome import Outcome
from asynctask.task import Task
from tests.cli.past.support import nodes_of, opened, output, recorded, result

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

WEB = ("web1", "web2", "web3")


def request(**fields: Any) -> Request:
    """What is run."""
    return Request(**{"targets": WEB, "command": "uname -r", **fields})


def recorder(lines: list[str], *, gathered: bool = True, **more: Any) -> Recorder:
    """A recorder that tells its lines to a list."""
    return Recorder.open(more.pop("request", request()), lines.append, gathered=gathered, **more)


async def test_a_run_from_its_beginning_to_its_end(history: Path) -> None:
    """What is on record then."""
    lines: list[str] = []
    it = recorder(lines, given_input=True, retry_of=5)

    number = await it.begin()
    await asyncio.gather(*map(it.before_start, WEB))
    await it.node_over(result("web1", out=b"6.1\n", err=b"oh\n"), 1)
    await it.node_over(result("web2", Outcome.UNREACHABLE), 3)
    await it.finish(3)

    assert number == 1
    assert lines == []
    with opened(history) as store:
        run = read_run(store.connection, number)
    assert (run.command, run.status, run.targets, run.count) == ("uname -r", 3, "web[1-3]", 3)
    assert (run.input, run.retry_of, run.cwd) == (True, 5, str(Path.cwd()))
    assert (run.controller.pid, run.ended is not None) == (os.getpid(), True)
    one, two, three = nodes_of(history, number)
    assert (one.outcome, one.rc, one.out, one.err) == (Outcome.OK, 0, output(b"6.1\n"), output(b"oh\n"))
    assert one.began is not None
    assert one.ended == pytest.approx(one.began + 2)
    assert (two.outcome, two.attempts, two.reason, two.hint) == (
        Outcome.UNREACHABLE, 3, "no answer", "try again",
    )  # fmt: skip
    assert three.outcome is None
    assert three.started is not None
    assert not mark(history, number).exists()


async def test_a_start_is_on_record_when_its_node_goes_on(history: Path) -> None:
    """Whoever kills us then, it is known that the command may have begun."""
    it = recorder([])
    assert await it.begin() == 1

    await it.before_start("web2")

    assert [node.started is not None for node in nodes_of(history, 1)] == [False, True, False]
    await it.finish(0)


async def test_no_secret_is_kept(history: Path) -> None:
    """Neither values of variables nor what is read; not anywhere in the file."""
    it = recorder([], request=request(env=(("TOKEN", "hunter2"), ("LANG", "C")), ask_login=True))
    await it.begin()
    await it.finish(0)

    with opened(history) as store:
        run = read_run(store.connection, 1)
    assert run.variables == ("TOKEN", "LANG")
    assert run.plain == {"ask_login": True}
    assert not any(b"hunter2" in path.read_bytes() for path in history.parent.iterdir())


async def test_a_request_that_is_kept_is_the_same_again(history: Path) -> None:
    """But for what is kept beside it."""
    wanted = request(fanout=3, batch="10%", command_timeout=math.inf, gather=True)
    it = recorder([], request=wanted)
    await it.begin()
    await it.finish(0)

    with opened(history) as store:
        run = read_run(store.connection, 1)
    assert Request.from_plain({**run.plain, "command": run.command, "targets": WEB}) == wanted


@pytest.mark.parametrize("gathered", [True, False])
async def test_output(history: Path, gathered: bool) -> None:
    """As it was gathered, or as it comes; of long output the beginning and the end."""
    it = recorder([], gathered=gathered, limit=4)
    await it.begin()
    async with Task(before_start=it.before_start) as task:
        task.shell(
            "printf 0123456789; [ %h = web1 ] || printf x >&2",
            nodes="web[1-2]",
            worker="exec",
            stderr=True,
            gather=gathered,
            handler=it if isinstance(it, LiveRecorder) else None,
        )
        for node_result in (await task.run()).all():
            await it.node_over(node_result, 1)
    await it.finish(0)

    one, two, _ = nodes_of(history, 1)
    assert (one.out, one.err) == (Output(b"0189", 10, 2), Output())
    assert (two.out, two.err) == (Output(b"0189", 10, 2), output(b"x"))


async def test_of_several_attempts_the_last_ones_output_is_kept(history: Path) -> None:
    """What one before it printed is not in front."""
    it = recorder([], gathered=False)
    assert isinstance(it, LiveRecorder)
    await it._ev_chunk(None, "web1", "stdout", b"not heard\n")
    await it.begin()
    for attempt in (1, 2):
        await it.before_start("web1")
        await it._ev_chunk(None, "web1", "stdout", b"attempt %d\n" % attempt)
    await it.node_over(result("web1"), 2)
    await it.finish(0)

    assert nodes_of(history, 1)[0].out == output(b"attempt 2\n")
    assert it._streams == {}


async def test_output_that_the_disk_does_not_take_is_left_out(
    history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory has a bound; that the node ended is not left out."""
    monkeypatch.setattr(recorder_module, "_HIGH_WATER", 5)
    it = recorder([])
    await it.begin()
    await it.node_over(result("web1", out=b"1234"), 1)
    await it.node_over(result("web2", out=b"5678"), 1)
    await it.finish(0)

    one, two, _ = nodes_of(history, 1)
    assert (one.out, two.out, two.outcome) == (output(b"1234"), Output(size=4), Outcome.OK)


async def test_a_run_that_is_completed(history: Path) -> None:
    """Its nodes keep their places."""
    number = recorded(history, targets=WEB, status=None)
    it = recorder([], request=request(targets=("web3",)), resuming=number)

    assert await it.begin() == number
    await it.before_start("web3")
    await it.node_over(result("web3"), 1)
    await it.finish(7)

    assert [node.outcome for node in nodes_of(history, number)] == [None, None, Outcome.OK]
    with opened(history) as store:
        assert read_run(store.connection, number).status == 7


# -- what goes wrong --------------------------------------------------------------------------


async def goes_on(it: Recorder) -> None:
    """A run that is not recorded does not notice."""
    await it.before_start("web1")
    await it.node_over(result("web1"), 1)
    await it.finish(0)


async def test_where_nothing_can_be_written(history: Path) -> None:
    """It is said once, and the run goes on."""
    history.parent.parent.write_bytes(b"")
    lines: list[str] = []
    it = recorder(lines)

    assert await it.begin() is None
    await goes_on(it)

    (line,) = lines
    assert line.startswith("asynctask: history: /")
    assert line.endswith("; this run is not recorded")


async def test_a_disk_that_becomes_full(history: Path) -> None:
    """It is said once; nobody relies on what is on record."""
    lines: list[str] = []
    it = recorder(lines)
    await it.begin()
    await it.before_start("web1")
    assert it._store is not None
    connection = it._store.connection
    await it._keeper.call(lambda: connection.execute("PRAGMA max_page_count = 1"))
    await it.node_over(result("web1", out=os.urandom(60_000)), 1)
    await it.before_start("web2")
    await goes_on(it)

    (line,) = lines
    assert line.endswith("history.db: database or disk is full; the rest of this run is not recorded")
    assert not mark(history, 1).exists()


@pytest.mark.parametrize("where", ["_open", "_record"])
async def test_a_disk_that_does_not_answer(
    history: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """It is waited for as long as is bearable; when it answers at last, nobody relies on the record."""
    monkeypatch.setattr(journal_module, "PATIENCE", 0.05)
    monkeypatch.setattr(recorder_module, "PATIENCE", 0.05)
    monkeypatch.setattr(recorder_module, "_LAST_WAIT", 0.01)
    connect(history).close()
    lines: list[str] = []
    it = recorder(lines)
    answers = threading.Event()
    original = getattr(it, where)

    def hangs(*args: object) -> object:
        answers.wait()
        return original(*args)

    monkeypatch.setattr(it, where, hangs)
    try:
        await it.begin()
        await goes_on(it)
    finally:
        answers.set()
    assert it._keeper._thread is not None
    await asyncio.to_thread(it._keeper._thread.join)

    (line,) = lines
    assert line.startswith("asynctask: history: the disk has not answered for 0.05 s; ")
    assert not mark(history, 1).exists()


async def test_the_end_is_written_also_when_cancelled(history: Path) -> None:
    """The cancellation is raised after it."""
    it = recorder([])
    await it.begin()
    await it.node_over(result("web1"), 1)
    ending = asyncio.ensure_future(it.finish(130))
    await asyncio.sleep(0)
    ending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ending

    with opened(history) as store:
        assert read_run(store.connection, 1).status == 130
    assert nodes_of(history, 1)[0].outcome is Outcome.OK


async def test_old_runs_are_forgotten_at_the_end(history: Path) -> None:
    """By number."""
    recorded(history)
    it = recorder([], request=request(history_keep=1))
    await it.begin()
    await it.finish(0)

    with opened(history) as store:
        assert store.connection.execute("SELECT id FROM runs").fetchall() == [(2,)]


async def test_two_runs_at_once(history: Path) -> None:
    """They do not get into each other's way, also when they are the first."""
    runs = [recorder([]) for _ in range(4)]
    numbers = await asyncio.gather(*(it.begin() for it in runs))
    for node in WEB:
        await asyncio.gather(*(it.before_start(node) for it in runs))
        await asyncio.gather(*(it.node_over(result(node), 1) for it in runs))
    await asyncio.gather(*(it.finish(0) for it in runs))

    assert sorted(map(int, filter(None, numbers))) == [1, 2, 3, 4]
    for number in (1, 2, 3, 4):
        assert [node.outcome for node in nodes_of(history, number)] == [Outcome.OK] * 3


async def test_without_targets_of_it_nothing_is_written(history: Path) -> None:
    """A node that the run does not know is none of ours."""
    it = recorder([])
    await it.begin()
    await it.before_start("db1")
    await it.node_over(result("db1"), 1)
    await it.finish(0)

    assert [node.started for node in nodes_of(history, 1)] == [None] * 3
