"""Tests of asynctask.testing.command, driven by asyncssh and by the real ssh."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal

import asyncssh
import pytest

from asynctask.testing import Cluster
from tests.testing.clients import connect, exit_of, needs_ssh, run_ssh, until


async def _line(process: asyncssh.SSHClientProcess[bytes]) -> bytes:
    async with asyncio.timeout(10):
        line: bytes = await process.stdout.readline()
    return line


@pytest.mark.parametrize("code", [0, 3, 255])
async def test_exit_status(connection: asyncssh.SSHClientConnection, code: int) -> None:
    """The client is told the exit status of the shell."""
    assert (await connection.run(f"exit {code}")).exit_status == code


async def test_exit_signal(connection: asyncssh.SSHClientConnection) -> None:
    """The client is told the signal that ended the shell."""
    done = await connection.run("kill -USR1 $$")
    assert done.exit_signal is not None
    assert done.exit_signal[:2] == ("USR1", False)


async def test_real_time_signal(connection: asyncssh.SSHClientConnection) -> None:
    """A signal without a name in SSH gets the name that OpenSSH gives it."""
    done = await connection.run("kill -40 $$")
    assert done.exit_signal is not None
    assert done.exit_signal[0] == "SIG@openssh.com"


@needs_ssh
async def test_real_ssh(cluster: Cluster) -> None:
    """OpenSSH's client gets output, errors and status apart."""
    finished = await run_ssh(cluster.ssh_config, "node2", "hostname; echo oops >&2; exit 4")
    assert (finished.code, finished.stdout, finished.stderr) == (4, b"node2\n", b"oops\n")


async def test_output_is_byte_exact(connection: asyncssh.SSHClientConnection) -> None:
    """No byte is changed on the way, no end of line is added."""
    done = await connection.run(r"printf '\000\r\377\n\033[2Jx'; printf '\200' >&2", encoding=None)
    assert (done.stdout, done.stderr) == (b"\x00\r\xff\n\x1b[2Jx", b"\x80")


async def test_input_is_byte_exact(connection: asyncssh.SSHClientConnection) -> None:
    """More than any buffer holds goes in and comes out again."""
    data = os.urandom(1 << 20) * 4
    done = await connection.run("cat", input=data, encoding=None)
    assert done.stdout == data


async def test_shell_without_a_command(connection: asyncssh.SSHClientConnection) -> None:
    """A client that asks for no command talks to a shell."""
    done = await connection.run(input=b"echo one\nexit 5\n", encoding=None)
    assert (done.stdout, done.exit_status) == (b"one\n", 5)


async def test_standard_streams_can_be_opened_by_name(connection: asyncssh.SSHClientConnection) -> None:
    """The command's streams are pipes, as with OpenSSH."""
    done = await connection.run("cat /dev/stdin | tee /dev/stderr", input=b"x\n", encoding=None)
    assert (done.stdout, done.stderr) == (b"x\n", b"x\n")


async def test_environment_is_that_of_a_login(
    cluster: Cluster, connection: asyncssh.SSHClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command sees what a login has and what the client sent, nothing of this process."""
    monkeypatch.setenv("SECRET", "hidden")
    done = await connection.run("env; pwd", env={"LANG": "C.UTF-8", "ASYNCTASK_NODE": "liar"})
    *lines, directory = str(done.stdout).splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    assert environment.keys() - {"_", "SHLVL", "OLDPWD", "PWD"} == {
        "ASYNCTASK_NODE",
        "HOME",
        "LANG",
        "LOGNAME",
        "PATH",
        "SHELL",
        "SSH_CONNECTION",
        "USER",
    }
    assert environment["ASYNCTASK_NODE"] == "node1"
    assert environment["USER"] == "asynctask"
    assert environment["HOME"] == directory == str(cluster.home("node1"))
    assert environment["SSH_CONNECTION"].split()[2:] == list(map(str, cluster.address("node1")))


@pytest.mark.parametrize("how", ["hostname", "hostname -s", "uname -n", "uname --nodename"])
async def test_the_node_knows_its_name(connection: asyncssh.SSHClientConnection, how: str) -> None:
    """The usual ways to ask for the name of the machine give that of the node."""
    assert (await connection.run(how)).stdout == "node1\n"


async def test_uname_else_is_real(connection: asyncssh.SSHClientConnection) -> None:
    """What else uname can tell comes from the machine."""
    assert (await connection.run("uname -s")).stdout == f"{os.uname().sysname}\n"


async def test_signals_go_to_the_group(connection: asyncssh.SSHClientConnection) -> None:
    """A signal of the client reaches the children of the shell too."""
    async with connection.create_process("sleep 1000 & echo $!; wait", encoding=None) as process:
        child = int(await _line(process))
        process.send_signal("TERM")
        await exit_of(child)
        await process.wait_closed()
    assert process.exit_signal is not None
    assert process.exit_signal[0] == "TERM"


async def test_unknown_signals_are_ignored(connection: asyncssh.SSHClientConnection) -> None:
    """A signal that does not exist changes nothing."""
    async with connection.create_process("cat", encoding=None) as process:
        process.send_signal("NONSENSE")
        process.stdin.write(b"still here\n")
        assert await _line(process) == b"still here\n"


async def test_break_is_an_interrupt(connection: asyncssh.SSHClientConnection) -> None:
    """SSH's break request is the interrupt key."""
    async with connection.create_process("echo ready; exec sleep 1000", encoding=None) as process:
        await _line(process)
        process.send_break(100)
        await process.wait_closed()
    assert process.exit_signal is not None
    assert process.exit_signal[0] == "INT"


async def test_closing_the_channel_kills_the_group(
    cluster: Cluster, connection: asyncssh.SSHClientConnection
) -> None:
    """Nothing outlives its channel, not even what ignores polite signals."""
    command = "trap '' TERM HUP; sleep 1000 & echo $!; while :; do wait; done"
    process = await connection.create_process(command, encoding=None)
    child = int(await _line(process))
    process.close()
    await exit_of(child)
    await until(lambda: cluster.statistics().running == 0)


async def test_losing_the_connection_kills_the_group(cluster: Cluster) -> None:
    """Nor does it outlive its connection."""
    async with connect(cluster) as connection:
        process = await connection.create_process("sleep 1000 & echo $!; wait", encoding=None)
        child = int(await _line(process))
        connection.abort()
        await exit_of(child)
    await cluster.wait_idle()


async def test_closing_the_channel_kills_the_rest_of_the_group(
    cluster: Cluster, connection: asyncssh.SSHClientConnection
) -> None:
    """What a command left in the background goes with it."""
    done = await connection.run("sleep 1000 >/dev/null 2>&1 </dev/null & echo $!", encoding=None)
    assert done.exit_status == 0
    await exit_of(int(done.stdout or b""))
    await until(lambda: cluster.statistics().running == 0)


async def test_a_grandchild_keeps_the_channel_open(connection: asyncssh.SSHClientConnection) -> None:
    """As with OpenSSH the status comes at the exit, the end of the channel when all output is closed."""
    process = await connection.create_process("sleep 1000 & echo $!; exit 3", encoding=None)
    grandchild = int(await _line(process))
    await until(lambda: process.exit_status == 3)
    assert not process.is_closing()
    os.kill(grandchild, signal.SIGKILL)
    async with asyncio.timeout(10):
        await process.wait_closed()
    assert process.exit_status == 3


async def test_unread_input_does_not_hide_the_close(
    cluster: Cluster, connection: asyncssh.SSHClientConnection
) -> None:
    """A command that reads nothing is killed when its client goes, though input is on the way."""
    process = await connection.create_process("echo $$; exec sleep 1000", encoding=None)
    child = int(await _line(process))
    process.stdin.write(bytes(4 << 20))
    await until(lambda: process.channel.get_write_buffer_size() < 4 << 20)
    process.channel.abort()  # close() would wait until all is sent
    await exit_of(child)
    await until(lambda: cluster.statistics().running == 0)


async def test_a_client_that_does_not_read_stops_the_command(
    cluster: Cluster, connection: asyncssh.SSHClientConnection
) -> None:
    """Output is held back in the pipe, so that the command waits for its client."""
    command = "head -c 8000000 /dev/zero; : >done"
    process = await connection.create_process(command, encoding=None, window=65536)
    async with asyncio.timeout(10):
        first: bytes = await process.stdout.readexactly(100_000)
    assert not (cluster.home("node1") / "done").exists()
    async with asyncio.timeout(20):
        rest: bytes = await process.stdout.read()
    assert len(first) + len(rest) == 8_000_000
    assert (cluster.home("node1") / "done").exists()
    process.close()
    await process.wait_closed()


async def test_a_shell_that_cannot_start(cluster: Cluster, connection: asyncssh.SSHClientConnection) -> None:
    """Without its home directory a node says so, with the status of a failed login."""
    shutil.rmtree(cluster.home("node1"))
    done = await connection.run("true", encoding=None)
    assert done.exit_status == 255
    assert done.stderr == b"node1: No such file or directory\n"
    await until(lambda: cluster.statistics().running == 0)


async def test_no_terminal(connection: asyncssh.SSHClientConnection) -> None:
    """A request for a terminal is refused."""
    with pytest.raises(asyncssh.ChannelOpenError):
        await connection.run("true", term_type="xterm")
