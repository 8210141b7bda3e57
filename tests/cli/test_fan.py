"""One handler for several hearers."""

from __future__ import annotations

from typing import Any

import pytest

import asynctask
from asynctask.cli.fan import fan
from asynctask.outcome import NodeResult

pytestmark = pytest.mark.one_loop("it only passes on")

Told = list[tuple[str, ...]]


class _Quiet:
    """Hears ends alone."""

    def __init__(self, told: Told) -> None:
        self._told = told

    async def ev_end(self, worker: Any, node: str, result: NodeResult) -> None:
        self._told.append(("quiet", "end", node))


class _Loud(_Quiet):
    """Hears more."""

    def ev_pickup(self, worker: Any, node: str) -> None:
        self._told.append(("loud", "pickup", node))

    async def ev_hup(self, worker: Any, node: str, rc: int) -> None:
        self._told.append(("loud", "hup", node))

    async def _ev_lines(self, worker: Any, node: str, sname: str, lines: list[bytes]) -> None:
        self._told.append(("loud", sname, *(line.decode() for line in lines)))


class _Raw(_Quiet):
    """Hears output as it came."""

    async def _ev_chunk(self, worker: Any, node: str, sname: str, chunk: bytes) -> None:
        self._told.append(("raw", sname, chunk.decode()))


async def _told(*kinds: type[_Quiet]) -> Told:
    told: Told = []

    async def after_end(node: str, result: NodeResult) -> None:
        told.append(("after", str(result.outcome), node))

    handler = fan([kind(told) for kind in kinds], after_end)
    await asynctask.run("printf 'x\\ny'", nodes="n", worker="exec", handler=handler, gather=False)
    return told


async def test_hearers_are_told_in_their_order() -> None:
    """Of each event one after the other, and then of the end."""
    assert await _told(_Loud, _Loud) == [
        ("loud", "pickup", "n"),
        ("loud", "pickup", "n"),
        ("loud", "stdout", "x"),
        ("loud", "stdout", "x"),
        ("loud", "stdout", "y"),
        ("loud", "stdout", "y"),
        ("loud", "hup", "n"),
        ("loud", "hup", "n"),
        ("quiet", "end", "n"),
        ("quiet", "end", "n"),
        ("after", "ok", "n"),
    ]


async def test_chunks_and_lines() -> None:
    """Who wants one is not given the other."""
    assert await _told(_Raw, _Loud) == [
        ("loud", "pickup", "n"),
        ("raw", "stdout", "x\ny"),
        ("loud", "stdout", "x"),
        ("loud", "stdout", "y"),
        ("loud", "hup", "n"),
        ("quiet", "end", "n"),
        ("quiet", "end", "n"),
        ("after", "ok", "n"),
    ]


async def test_an_end_that_is_not_heard() -> None:
    """What follows on it follows all the same."""
    told: Told = []

    async def after_end(node: str, result: NodeResult) -> None:
        told.append(("after", str(result.outcome), node))

    handler = fan([_Quiet(told)], after_end, lambda node, result: node != "n2")
    await asynctask.run("true", nodes="n[1-2]", worker="exec", handler=handler, fanout=1)

    assert told == [("quiet", "end", "n1"), ("after", "ok", "n1"), ("after", "ok", "n2")]


async def test_what_nobody_hears_costs_nothing() -> None:
    """The handler does not have a method for it."""
    handler = fan([_Quiet([])], _nothing)

    assert {name for name in dir(handler) if name.startswith(("ev_", "_ev_"))} == {"ev_end"}
    assert await _told(_Quiet) == [("quiet", "end", "n"), ("after", "ok", "n")]


async def _nothing(node: str, result: NodeResult) -> None:
    """No more than that."""
