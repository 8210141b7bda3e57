"""What is so of every worker that runs commands on nodes: how they are stopped."""

from __future__ import annotations

import time
from typing import Any

import pytest

from asynctask import Outcome
from asynctask.errors import TaskTimeoutError
from tests.ssh.processes import alive
from tests.workers.sites import Site, check

__all__ = ("check_deadline", "check_kill_after_the_grace", "check_timeout")


async def check_timeout(site: Site, **settings: Any) -> None:
    """The time is up: the process and all of its group are gone, what they printed is kept."""
    command = "trap 'echo bye; exit 3' TERM; sleep 1000 & echo $$ $!; while :; do sleep 0.02; done"
    begun = time.monotonic()
    result = await site.run(command, timeout=0.3, grace=30, **settings)
    assert time.monotonic() - begun < 10
    first, *rest = result.stdout.split(b"\n")
    check(result, Outcome.TIMED_OUT, out=result.stdout)
    assert b"bye" in rest
    assert [alive(int(word)) for word in first.split()] == [False, False]


async def check_kill_after_the_grace(site: Site, **settings: Any) -> None:
    """A process that ignores TERM gets KILL, within the grace and a little more."""
    command = "trap '' TERM; echo $$; sleep 1000; sleep 1000"
    begun = time.monotonic()
    result = await site.run(command, timeout=0.3, grace=0.5, **settings)
    assert 0.79 <= time.monotonic() - begun < 8
    check(result, Outcome.TIMED_OUT, out=result.stdout)
    assert not alive(int(result.stdout))


async def check_deadline(site: Site, seconds: float, **settings: Any) -> None:
    """The time of a whole run is up, likewise."""
    nodes = site.nodes[:3]
    command = "echo $$; exec sleep 1000"
    with pytest.raises(TaskTimeoutError) as raised:
        await site.run_all(command, nodes=nodes, deadline=seconds, grace=30, **settings)
    results = [raised.value.result[node] for node in nodes]
    assert {result.outcome for result in results} == {Outcome.TIMED_OUT}
    assert [result.node for result in results if result.stdout and alive(int(result.stdout))] == []
