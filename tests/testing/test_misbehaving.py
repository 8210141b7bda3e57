"""Tests of asynctask.testing.misbehaving: what a client gets of a command of an ill node, and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncssh
import pytest
import pytest_asyncio

from asynctask.testing import Cluster, Fault
from asynctask.testing.misbehaving import NOT_UTF8
from tests.testing.clients import connect, until

pytestmark = pytest.mark.one_loop("what it sends is no matter of the loop")

PATIENCE = 20.0


@pytest_asyncio.fixture
async def ill(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """A cluster of one node that has the test's fault."""
    async with Cluster(1, faults={"node1": request.param}) as cluster:
        yield cluster


@pytest_asyncio.fixture
async def link(ill: Cluster) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to it."""
    async with asyncio.timeout(PATIENCE), connect(ill) as connection:
        yield connection


Link = asyncssh.SSHClientConnection


async def _end(process: asyncssh.SSHClientProcess[bytes], cluster: Cluster) -> None:
    """Close the channel; nothing of the command is left then."""
    process.close()
    await until(lambda: cluster.statistics().running == 0)


@pytest.mark.parametrize("ill", [Fault.CHATTY], indirect=True)
async def test_chatty(link: Link) -> None:
    """A line comes before the output of each command."""
    for _ in range(2):
        done = await link.run("echo hello; exit 3", encoding=None)
        assert (done.stdout, done.exit_status) == (b"*** node1 ***\nhello\n", 3)


@pytest.mark.parametrize("ill", [Fault.INVALID_UTF8], indirect=True)
async def test_invalid_utf8(link: Link) -> None:
    """Bytes that are not UTF-8 come before the output of each command."""
    done = await link.run("echo hello", encoding=None)
    assert (done.stdout, done.exit_status) == (NOT_UTF8 + b"hello\n", 0)
    with pytest.raises(UnicodeDecodeError):
        NOT_UTF8.decode()


@pytest.mark.parametrize("ill", [Fault.DROP], indirect=True)
async def test_drop_after_the_first_output(ill: Cluster, link: Link) -> None:
    """What was printed arrives, then the connection is gone, without a status."""
    process = await link.create_process("echo hello; exec sleep 1000", encoding=None)
    assert await process.stdout.readline() == b"hello\n"
    await link.wait_closed()
    assert process.exit_status is None
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.DROP], indirect=True)
async def test_drop_without_output(ill: Cluster, link: Link) -> None:
    """A command that prints nothing loses its connection when it ends."""
    process = await link.create_process("exit 0", encoding=None)
    await link.wait_closed()
    assert process.exit_status is None
    await ill.wait_idle()


@pytest.mark.parametrize("ill", [Fault.KILLED], indirect=True)
@pytest.mark.parametrize(
    ("command", "output"), [("echo hello; exec sleep 1000", b"hello\n"), ("exit 0", b""), ("echo x", b"x\n")]
)
async def test_killed(link: Link, command: str, output: bytes) -> None:
    """The first piece of output arrives, then the signal; the connection stays."""
    done = await link.run(command, encoding=None)
    assert done.stdout == output
    assert done.exit_signal is not None
    assert done.exit_signal[0] == "KILL"
    assert not link.is_closed()


@pytest.mark.parametrize("ill", [Fault.NO_STATUS], indirect=True)
async def test_no_status(link: Link) -> None:
    """All of the output arrives, the channel is closed, and nobody knows how the command ended."""
    done = await link.run("echo hello; echo oops >&2; exit 3", encoding=None)
    assert (done.stdout, done.stderr) == (b"hello\n", b"oops\n")
    assert (done.exit_status, done.exit_signal) == (None, None)


@pytest.mark.parametrize("ill", [Fault.LINGERS], indirect=True)
async def test_lingers(ill: Cluster, link: Link) -> None:
    """The status arrives and the channel stays open until the client closes it."""
    process = await link.create_process("echo hello; exit 3", encoding=None)
    assert await process.stdout.readline() == b"hello\n"
    await until(lambda: process.exit_status == 3)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not process.channel.is_closing()
    assert not process.stdout.at_eof()
    await _end(process, ill)


@pytest.mark.parametrize("ill", [Fault.FLOOD_STDOUT], indirect=True)
async def test_flood(ill: Cluster, link: Link) -> None:
    """Output comes and comes, also past what the channel's window holds, and stops when it is not taken."""
    process = await link.create_process("echo hello", encoding=None, window=64 * 1024)
    for _ in range(8):
        taken = await process.stdout.readexactly(60_000)
        assert taken == b"flood\n" * 10_000
    process.channel.pause_reading()
    assert not process.stdout.at_eof()
    await _end(process, ill)


@pytest.mark.parametrize("ill", [Fault.FLOOD_STDOUT, Fault.FLOOD_STDERR], indirect=True)
async def test_a_flood_can_be_ended(ill: Cluster, link: Link) -> None:
    """It is a real process, which a signal ends."""
    async with link.create_process("true", encoding=None) as process:
        process.send_signal("TERM")
        await process.stdout.read()
        await process.stderr.read()
        await process.wait_closed()
    assert process.exit_signal is not None
    assert process.exit_signal[0] == "TERM"
    await until(lambda: ill.statistics().running == 0)


@pytest.mark.parametrize("ill", [Fault.FLOOD_STDERR], indirect=True)
async def test_flood_of_stderr_with_a_full_stdin(ill: Cluster, link: Link) -> None:
    """Standard error has no end, standard output nothing, and what is written is not read."""
    process = await link.create_process("cat", encoding=None)
    process.stdin.write(bytes(8 << 20))
    assert await process.stderr.readexactly(600_000) == b"flood\n" * 100_000
    assert process.channel.get_write_buffer_size() > 1 << 20
    process.channel.abort()
    await until(lambda: ill.statistics().running == 0)


@pytest.mark.parametrize("ill", [Fault.DRIPS], indirect=True)
async def test_drips(ill: Cluster, link: Link) -> None:
    """One byte comes at once, the next a second later."""
    loop = asyncio.get_running_loop()
    process = await link.create_process("printf ab; exec sleep 1000", encoding=None)
    assert await process.stdout.read(100) == b"a"
    begin = loop.time()
    assert await process.stdout.read(100) == b"b"
    assert 0.8 < loop.time() - begin < 3
    await _end(process, ill)


@pytest.mark.parametrize("ill", [Fault.THROTTLED], indirect=True)
async def test_throttled(link: Link) -> None:
    """Output comes at 1 KiB a second, both streams whole, and the status after it."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    script = "head -c 384 /dev/zero; head -c 128 /dev/zero >&2; exit 3"
    done = await link.run(script, encoding=None)
    assert (done.stdout, done.stderr, done.exit_status) == (bytes(384), bytes(128), 3)
    assert loop.time() - begin > 0.35


@pytest.mark.parametrize("ill", [Fault.THROTTLED], indirect=True)
async def test_throttled_output_in_many_pieces(link: Link) -> None:
    """A command that writes little at a time gets no more than its share of pieces."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    done = await link.run("for i in 1 2 3; do echo $i; sleep 0.01; done", encoding=None)
    assert (done.stdout, done.exit_status) == (b"1\n2\n3\n", 0)
    assert loop.time() - begin > 0.2


@pytest.mark.parametrize("ill", [Fault.DRIPS, Fault.THROTTLED], indirect=True)
async def test_a_slow_command_ends_with_its_channel(ill: Cluster, link: Link) -> None:
    """What was not sent is forgotten."""
    process = await link.create_process("exec yes", encoding=None)
    assert await process.stdout.read(1) == b"y"
    await _end(process, ill)


@pytest.mark.parametrize("ill", [Fault.DRIPS, Fault.FLOOD_STDOUT, Fault.LINGERS], indirect=True)
async def test_ends_with_the_cluster(ill: Cluster, link: Link) -> None:
    """A client that never hangs up is cut when the cluster closes, and no process is left."""
    await link.create_process("exec sleep 1000", encoding=None)
    await until(lambda: ill.statistics().running == 1)
    await ill.__aexit__(None, None, None)
    assert (ill.statistics().running, ill.statistics().open_connections) == (0, 0)
