"""Tests of asynctask.testing.terminal: commands of a node that has terminals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncssh
import pytest_asyncio

from asynctask.testing import Cluster
from tests.testing.clients import connect, exit_of, open_files, until

RAW = {asyncssh.PTY_ECHO: 0, asyncssh.PTY_OPOST: 0, asyncssh.PTY_ONLCR: 0}


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster of one node with terminals."""
    async with Cluster(1, pty=True) as opened:
        yield opened


async def _run(cluster: Cluster, command: str, **options: Any) -> asyncssh.SSHCompletedProcess:
    options = {"term_type": "xterm", "encoding": None, **options}
    async with asyncio.timeout(20), connect(cluster) as connection:
        return await connection.run(command, **options)


async def test_all_streams_are_the_terminal(cluster: Cluster) -> None:
    """It is the controlling one, too, so that it can be opened by its name."""
    done = await _run(cluster, "test -t 0 && test -t 1 && test -t 2 && echo yes >/dev/tty; exit 3")
    assert (done.stdout, done.stderr, done.exit_status) == (b"yes\r\n", b"", 3)


async def test_kind_and_size(cluster: Cluster) -> None:
    """The command is told what the client has."""
    done = await _run(cluster, "echo $TERM; stty size", term_type="vt100", term_size=(100, 30))
    assert done.stdout == b"vt100\r\n30 100\r\n"


async def test_modes(cluster: Cluster) -> None:
    """What the client wants off is off: output comes as it is, input is not echoed."""
    done = await _run(cluster, "echo one; read line; echo got $line", input=b"two\n", term_modes=RAW)
    assert done.stdout == b"one\ngot two\n"


async def test_echo(cluster: Cluster) -> None:
    """By default what is typed is seen."""
    done = await _run(cluster, "read line; echo got $line", input=b"two\n")
    assert done.stdout == b"two\r\ngot two\r\n"


async def test_the_interrupt_character(cluster: Cluster) -> None:
    """It is a signal to what runs in the foreground."""
    async with connect(cluster) as connection:
        process = await connection.create_process(
            "echo on; exec sleep 1000", term_type="xterm", encoding=None
        )
        assert await process.stdout.readline() == b"on\r\n"
        process.stdin.write(b"\x03")
        await process.wait_closed()
    assert process.exit_signal is not None
    assert process.exit_signal[0] == "INT"


async def test_the_size_changes(cluster: Cluster) -> None:
    """The command hears of it."""
    command = "trap 'stty size; exit' WINCH; echo on; while :; do read line; done"
    async with connect(cluster) as connection:
        process = await connection.create_process(command, term_type="xterm", encoding=None)
        assert await process.stdout.readline() == b"on\r\n"
        process.change_terminal_size(90, 20)
        async with asyncio.timeout(10):
            assert await process.stdout.readline() == b"20 90\r\n"
        await process.wait_closed()


async def test_much_output(cluster: Cluster) -> None:
    """More than any buffer holds arrives whole."""
    done = await _run(cluster, "head -c 3000000 /dev/zero", term_modes=RAW)
    assert len(done.stdout or b"") == 3_000_000


async def test_much_input(cluster: Cluster) -> None:
    """More than the terminal takes at once waits, and arrives whole."""
    command = "stty raw; echo on; head -c 300000 | wc -c"
    async with asyncio.timeout(20), connect(cluster) as connection:
        process = await connection.create_process(command, term_type="x", term_modes=RAW, encoding=None)
        assert await process.stdout.readline() == b"on\n"
        process.stdin.write(bytes(300_000))
        assert (await process.stdout.readline()).strip() == b"300000"
        await process.wait_closed()


async def test_hanging_up_ends_the_command(cluster: Cluster) -> None:
    """Nothing of it is left: no process and no descriptor."""
    await _run(cluster, "true")
    before = open_files("/dev/p")
    async with connect(cluster) as connection:
        process = await connection.create_process(
            "echo $$; exec sleep 1000", term_type="xterm", encoding=None
        )
        pid = int(await process.stdout.readline())
        process.channel.abort()
        await exit_of(pid)
        await until(lambda: cluster.statistics().running == 0)
    assert open_files("/dev/p") == before


async def test_without_a_request_there_is_none(cluster: Cluster) -> None:
    """Commands have pipes unless their client asks for more."""
    done = await _run(cluster, "test -t 1; echo $?", term_type=None)
    assert done.stdout == b"1\n"
