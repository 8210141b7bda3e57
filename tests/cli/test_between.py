"""Whether the next batch begins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from asynctask.cli.between import Between
from asynctask.cli.output.labels import Titles
from asynctask.cli.request import Request
from asynctask.cli.rolling import Batch
from asynctask.outcome import NodeResult, Outcome, Times

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

REQUEST = Request(targets=("a", "b", "c"), command="true", batch="1")


class _Gate:
    """A gate, the answers of its user, and what it showed."""

    def __init__(self, request: Request = REQUEST, answers: Sequence[str | None] = ()) -> None:
        self._answers: Iterator[str | None] = iter(answers)
        self.asked: list[str] = []
        self.shown: list[bytes] = []
        self.did: list[str] = []
        self.between = Between(request, Titles(), ask=self._ask, write=self._write, doing=self.did.append)

    async def _ask(self, question: str) -> str | None:
        self.asked.append(question)
        return next(self._answers, None)

    async def _write(self, text: bytes) -> None:
        self.shown.append(text)

    async def __call__(self, *rcs: int) -> str | None:
        results = [
            NodeResult(node, Outcome.FAILED if rc else Outcome.OK, rc, None, None, Times(queued=0.0))
            for node, rc in zip("ab", rcs, strict=False)
        ]
        return await self.between(Batch(1, 2, results, []))


async def test_a_batch_that_went_well() -> None:
    """The next one begins, and nobody is asked."""
    gate = _Gate()

    assert (await gate(0, 0), gate.asked) == (None, [])


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("n", False), ("retry", False), (None, False)])
async def test_a_batch_that_did_not(answer: str | None, goes_on: bool) -> None:
    """The user decides; where nobody can be asked, the run ends."""
    gate = _Gate(answers=[answer])

    reason = await gate(0, 1)

    assert reason == (None if goes_on else "batch 1 of 2: b did not end well")
    assert gate.asked == ["asynctask: batch 1 of 2: b did not end well. Continue? [y/N] "]


async def test_how_many_may_fail_is_a_matter_of_halt() -> None:
    """If that is said, nothing else decides it."""
    gate = _Gate(replace(REQUEST, halt="soon,fail=2"))

    assert (await gate(0, 1), gate.asked) == (None, [])


async def test_a_check() -> None:
    """It may be repeated; what it prints is shown."""
    gate = _Gate(replace(REQUEST, check='echo "$ASYNCTASK_NODES"; false'), answers=["retry", "n"])

    assert await gate(0, 0) == "--check after batch 1: failed with exit code 1"
    assert gate.shown == [b"a,b\n"] * 2
    assert gate.did == ["checking", ""]
    assert len(gate.asked) == 2


async def test_a_check_that_is_stopped() -> None:
    """It is over at once, and so is the run; no later batch begins, either."""
    gate = _Gate(replace(REQUEST, check="sleep 60"))
    asking = asyncio.ensure_future(gate(0, 0))
    while gate.did != ["checking"]:
        await asyncio.sleep(0)

    gate.between.stop()
    async with asyncio.timeout(20):
        assert await asking == "stopped"

    assert gate.between.is_stopped()
    assert await gate(0, 0) == "stopped"


async def test_cancelling() -> None:
    """It ends the check, and is not taken for a stop."""
    gate = _Gate(replace(REQUEST, check="sleep 60"))
    asking = asyncio.ensure_future(gate(0, 0))
    while gate.did != ["checking"]:
        await asyncio.sleep(0)

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not gate.between.is_stopped()
