"""Facts are brought to the disk in few writes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynctask.cli.past import journal as journal_module
from asynctask.cli.past.journal import Journal, SlowDiskError
from asynctask.cli.past.records import Batch
from tests.cli.past.support import end, output
from tests.support import turns


class Disk:
    """Takes batches, and answers when it is told to."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.answers: list[asyncio.Future[Any]] = []
        self.reasons: list[BaseException] = []
        self.journal = Journal(self.write, self.reasons.append)

    def write(self, batch: Batch) -> asyncio.Future[Any]:
        self.batches.append(batch)
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    @property
    def starts(self) -> list[list[int]]:
        """The places of the nodes whose start is in each batch."""
        return [[place for _, place in batch.starts] for batch in self.batches]

    @property
    def ends(self) -> list[list[int]]:
        """Likewise, of ends."""
        return [[end.place for end in batch.ends] for batch in self.batches]


async def test_nodes_that_come_together_share_a_write() -> None:
    """They go on when it is done; those that come meanwhile are in the next."""
    disk = Disk()
    first = [asyncio.ensure_future(disk.journal.start(1.0, place)) for place in range(3)]
    await turns(3)
    later = [asyncio.ensure_future(disk.journal.start(1.0, place)) for place in (3, 4)]
    await turns(3)
    assert disk.starts == [[0, 1, 2]]
    assert not any(task.done() for task in (*first, *later))

    disk.answers[0].set_result(None)
    await asyncio.gather(*first)
    assert disk.starts == [[0, 1, 2], [3, 4]]
    assert not any(task.done() for task in later)

    disk.answers[1].set_result(None)
    await asyncio.gather(*later)
    await disk.journal.flush()


async def test_ends_wait_for_each_other_and_go_with_starts() -> None:
    """There is no hurry for them, and starts do not wait for them; on no loop."""
    disk = Disk()
    disk.journal.end(end(0))
    disk.journal.end(end(1))
    await turns(3)
    assert disk.batches == []

    start = asyncio.ensure_future(disk.journal.start(1.0, 2))
    await turns(3)

    assert (disk.starts, disk.ends) == ([[2]], [[0, 1]])
    disk.answers[0].set_result(None)
    await start


async def test_nodes_go_on_a_few_at_a_time() -> None:
    """They begin with what keeps the loop; what was stopped meanwhile does not count."""
    disk = Disk()
    first, *others = [asyncio.ensure_future(disk.journal.start(1.0, place)) for place in range(20)]
    await turns(2)
    first.cancel()
    disk.answers[0].set_result(None)
    gone_on: list[int] = []
    while len(gone_on) < 2 or gone_on[-1] < len(others):
        await turns(1)
        gone_on.append(sum(task.done() for task in others))

    assert [count for count in dict.fromkeys(gone_on) if count] == [8, 16, 19]


async def test_ends_are_written_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that came while something was being written."""
    monkeypatch.setattr(journal_module, "TOGETHER", 0.001)
    disk = Disk()
    disk.journal.end(end(0))
    while not disk.batches:
        await asyncio.sleep(0)
    disk.journal.end(end(1))
    disk.answers[0].set_result(None)
    while len(disk.batches) < 2:
        await asyncio.sleep(0)
    disk.answers[1].set_result(None)
    await disk.journal.flush()

    assert disk.ends == [[0], [1]]


async def test_flushing_waits_for_all() -> None:
    """What is being written, and what is not yet; without anything it does not wait."""
    disk = Disk()
    await disk.journal.flush()
    disk.journal.end(end(0, out=output(b"abc")))
    assert disk.journal.waiting == 3
    flushing = asyncio.ensure_future(disk.journal.flush())
    await turns(2)
    disk.journal.end(end(1))
    disk.answers[0].set_result(None)
    await turns(3)
    assert (disk.journal.waiting, flushing.done()) == (0, False)

    while len(disk.answers) < 2:
        await asyncio.sleep(0)
    disk.answers[1].set_result(None)
    await flushing


async def test_a_write_that_fails_is_the_last() -> None:
    """Nobody waits for the disk from then on."""
    disk = Disk()
    one = asyncio.ensure_future(disk.journal.start(1.0, 0))
    await turns(2)
    other = asyncio.ensure_future(disk.journal.start(1.0, 1))
    disk.journal.end(end(2))
    await turns(2)
    error = OSError("disk full")
    disk.answers[0].set_exception(error)

    await asyncio.gather(one, other)
    await disk.journal.start(1.0, 3)
    disk.journal.end(end(3))
    await disk.journal.flush()

    assert (disk.starts, disk.reasons, disk.journal.broken) == ([[0]], [error], True)


async def test_a_disk_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, and may answer when it likes."""
    monkeypatch.setattr(journal_module, "PATIENCE", 0.01)
    disk = Disk()

    await disk.journal.start(1.0, 0)
    await disk.journal.flush()

    assert [str(reason) for reason in disk.reasons] == ["the disk has not answered for 0.01 s"]
    assert isinstance(disk.reasons[0], SlowDiskError)
    disk.answers[0].set_exception(OSError("at last"))
    await turns(2)
    assert len(disk.reasons) == 1


async def test_a_node_that_is_stopped_while_it_waits() -> None:
    """The others, and what is written, do not care."""
    disk = Disk()
    one = asyncio.ensure_future(disk.journal.start(1.0, 0))
    other = asyncio.ensure_future(disk.journal.start(1.0, 1))
    await turns(2)
    one.cancel()
    await turns(2)
    disk.answers[0].set_result(None)

    await other

    assert one.cancelled()
    assert disk.starts == [[0, 1]]
