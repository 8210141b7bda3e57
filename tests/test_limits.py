"""Runs that meet the limits of the system."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import textwrap

import pytest

import asynctask
from tests.support import Recorder

PROGRAM = textwrap.dedent("""
    import asyncio, resource, sys
    import asynctask

    class Handler:
        ends = pickups = 0
        def ev_pickup(self, worker, node):
            self.pickups += 1
        async def ev_end(self, worker, node, result):
            self.ends += 1

    async def main():
        handler, options = Handler(), eval(sys.argv[1])
        async with asynctask.Task(fanout=1000, worker="exec") as task:
            task.shell("sleep 0.3; echo %h", nodes=sys.argv[3], handler=handler, **options)
            running = asyncio.create_task(task.run())
            deferred = 0
            while not running.done():
                await asyncio.sleep(0.01)
                statistics = task.statistics()
                if statistics is not None:
                    deferred = statistics.deferred
            result = await running
            print(result.summary(), handler.pickups, handler.ends, deferred > 0)
            print(all(part.stdout == f"{part.node}\\n".encode() for part in result.all()))

    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
    if sys.argv[2] == "uvloop":
        import uvloop
        uvloop.run(main())
    else:
        asyncio.run(main())
""")


@pytest.mark.parametrize(("count", "options"), [(2000, "{}"), (300, "{'stderr': True, 'stdin': b'input'}")])
def test_2000_nodes_with_256_descriptors(request: pytest.FixtureRequest, count: int, options: str) -> None:
    """More nodes at once than there are descriptors for: every node is ok, and its handler hears it once."""
    loop: str = request.config.getoption("--loop")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, options, loop, f"n[1-{count}]"],
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == (
        f"{count} ok {count} {count} True\nTrue\n",
        "",
        0,
    )


async def test_no_descriptor_at_all() -> None:
    """Nothing is running that could give one back: the nodes end, with the reason, and do not hang."""
    handler = Recorder()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        async with asyncio.timeout(20):
            result = await asynctask.run("true", nodes="a,b", worker="exec", handler=handler)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert result.summary() == "2 could not spawn (a,b)"
    assert str(result["a"].error) == "a: could not start a process: Too many open files"
    assert sorted(handler.events[:-1]) == ["end a could not spawn", "end b could not spawn"]
