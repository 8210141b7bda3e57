"""Tests of asynctask.ssh.session: one command on a connection, mostly of a real OpenSSH server."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, cast

import asyncssh
import pytest
import pytest_asyncio

from asynctask import SSHOptions
from asynctask.ssh import groups as groups_module
from asynctask.ssh import session as module
from asynctask.ssh.session import signal_number, start
from asynctask.testing import Cluster
from asynctask.waiting import Grace
from tests.ssh.commands import PATIENCE, Heard
from tests.ssh.connecting import connected
from tests.ssh.processes import alive, with_argument
from tests.ssh.servers import NODE, ScriptedFactory, Session, reset, say
from tests.sshd import OpenSSHServer
from tests.support import turns
from tests.testing.clients import until

#: What ``seq 1 200000`` prints: several times what a channel holds.
NUMBERS = "".join(f"{number}\n" for number in range(1, 200_001)).encode()


@pytest_asyncio.fixture
async def connection(real: SSHOptions) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to the real server."""
    async with connected(real, "n1") as made:
        yield made


@pytest_asyncio.fixture
async def here(cluster: Cluster) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to a node in this process."""
    async with connected(SSHOptions(config=cluster.ssh_config), "node1") as made:
        yield made


@pytest.fixture
def heard() -> Heard:
    """Where the command of a test prints to."""
    return Heard()


async def _over(command: module.RemoteCommand) -> None:
    await asyncio.wait_for(command.wait(), PATIENCE)


def _held(channel: asyncssh.SSHClientChannel[bytes] | None) -> int:
    """The bytes that wait in a channel that is paused."""
    assert channel is not None
    return sum(len(data) for data, _ in channel._recv_buf)


# -- how it ends ----------------------------------------------------------------------------------------


async def test_output_and_status(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """What a command prints is heard, then how it ended."""
    command = await heard.start(connection, "echo hello; exit 3")
    await _over(command)
    assert (heard.stdout, command.exit_status, command.exit_signal, command.lost) == (
        b"hello\n",
        3,
        None,
        None,
    )


async def test_several_commands_on_a_connection(connection: asyncssh.SSHClientConnection) -> None:
    """They do not disturb each other."""
    heard = [Heard() for _ in range(4)]
    commands = [await each.start(connection, f"echo {n}; exit {n}") for n, each in enumerate(heard)]
    for command in commands:
        await _over(command)
    assert [(each.stdout, command.exit_status) for each, command in zip(heard, commands, strict=True)] == [
        (f"{n}\n".encode(), n) for n in range(4)
    ]


async def test_a_signal(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """A command that a signal ended has no status."""
    command = await heard.start(connection, "kill -USR1 $$")
    await _over(command)
    assert (command.exit_status, command.exit_signal) == (None, "USR1")


@pytest.mark.parametrize(
    ("name", "number"), [("TERM", 15), ("KILL", 9), ("XYZ", 0), ("FOO@openssh.com", 0), ("", 0)]
)
def test_signal_number(name: str, number: int) -> None:
    """Signals have numbers, as far as they are known here."""
    assert signal_number(name) == number


async def test_streams_apart(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Standard error is a stream of its own on request."""
    await _over(await heard.start(connection, "echo out; echo err >&2", stderr=True))
    assert (heard.stream("stdout"), heard.stream("stderr")) == (b"out\n", b"err\n")


async def test_streams_together(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Else it is part of standard output."""
    await _over(await heard.start(connection, "echo err >&2; sleep 0.05; echo out"))
    assert (heard.stdout, heard.stream("stderr")) == (b"err\nout\n", b"")


async def test_bytes(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """No byte is changed, in the output as in the command."""
    await _over(await heard.start(connection, r"printf 'a\rb\000\377\n\033[2Jx'; echo '" + "\udcff\udce4'"))
    assert heard.stdout == b"a\rb\x00\xff\n\x1b[2Jx\xff\xe4\n"


async def test_a_command_that_closes_its_output(
    connection: asyncssh.SSHClientConnection, heard: Heard
) -> None:
    """It is not over before it exits."""
    command = await heard.start(connection, "exec >&- 2>&-; sleep 0.2; exit 5")
    await _over(command)
    assert (heard.chunks, command.exit_status) == ([], 5)


# -- how it does not start ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hooks", "what"),
    [
        ({"on_session": lambda connection: False}, "Session refused"),
        ({"on_exec": lambda session: False}, "Session request failed"),
    ],
)
async def test_refused(scripted: ScriptedFactory, heard: Heard, hooks: dict[str, Any], what: str) -> None:
    """A server may refuse a session, or a command."""
    server = await scripted(**hooks)
    async with connected(server.options, NODE) as made:
        with pytest.raises(asyncssh.ChannelOpenError, match=f"^{what}$"):
            await heard.start(made, "true")
        assert not made.is_closed()


def _reset_session(connection: asyncssh.SSHServerConnection) -> bool:
    reset(connection)
    return False


def _reset_exec(session: Session) -> bool:
    reset(session.connection)
    return True


@pytest.mark.parametrize(
    "hooks",
    [
        {"on_session": _reset_session},
        {"on_exec": _reset_exec},
        {"on_exec": lambda session: session.connection.abort()},
        {"on_exec": lambda session: session.connection.close()},
    ],
    ids=["reset in session", "reset in exec", "abort", "disconnect"],
)
async def test_broken_while_it_starts(scripted: ScriptedFactory, heard: Heard, hooks: dict[str, Any]) -> None:
    """However the connection breaks, asyncssh's error comes, and the connection is closed."""
    server = await scripted(**hooks)
    async with connected(server.options, NODE) as made:
        with pytest.raises(asyncssh.Error):
            await heard.start(made, "true")
        assert made.is_closed()


async def test_cancelled_while_it_starts(real: SSHOptions, heard: Heard) -> None:
    """Whenever a start is given up, no process is left on the node."""
    marker = f"{time.monotonic_ns()}.5"
    async with connected(real, "n1") as made:
        for step in range(8):
            starting = asyncio.create_task(heard.start(made, f"exec sleep {marker}"))
            await until(lambda: any(channel._request_waiters for channel in made._channels.values()))
            await asyncio.sleep(step * 0.0005)
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await (await asyncio.wait_for(starting, PATIENCE)).end(Grace(0))
            assert with_argument(marker) == []
            await until(lambda: not made._channels)


async def test_cancelled_while_the_server_does_not_answer(
    scripted: ScriptedFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not waited for long."""
    monkeypatch.setattr(groups_module, "FIND_WAIT", 0.1)
    monkeypatch.setattr(module, "FIND_WAIT", 0.1)

    def deaf(connection: asyncssh.SSHServerConnection) -> bool:
        assert connection._transport is not None
        connection._transport.pause_reading()
        return True

    server = await scripted(on_session=deaf)
    async with connected(server.options, NODE) as made:
        starting = asyncio.create_task(start(made, "true", heard.receive, separate_stderr=False))
        await until(lambda: any(channel._request_waiters for channel in made._channels.values()))
        begun = time.monotonic()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(starting, PATIENCE)
        assert 0.09 <= time.monotonic() - begun < 5


# -- how the connection breaks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("breaks", "what"),
    [
        (lambda session: session.connection.close(), "None"),
        (lambda session: session.connection.abort(), "Connection lost"),
    ],
    ids=["disconnect", "abort"],
)
async def test_broken_right_after_the_output(
    scripted: ScriptedFactory, heard: Heard, breaks: Callable[[Session], object], what: str
) -> None:
    """What was printed in one go with the end of the connection is not lost."""
    server = await scripted(on_start=say(b"hello\n", breaks))
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "true")
        await _over(command)
    assert (heard.stdout, command.exit_status, str(command.lost)) == (b"hello\n", None, what)


async def test_broken_while_paused(
    cluster: Cluster, here: asyncssh.SSHClientConnection, heard: Heard
) -> None:
    """What had arrived while nobody took it is delivered."""
    command = await heard.start(here, "echo one; read line; echo two; sleep 100")
    heard.on_data = lambda data: command.pause_reading()
    await heard.until(lambda output: output == b"one\n")
    await command.write(b"\n")
    await until(lambda: _held(command._channel) > 0)
    cluster.disconnect("node1")
    await _over(command)
    assert heard.stdout == b"one\ntwo\n"
    assert str(command.lost) == "Connection lost"


@pytest.mark.parametrize(
    "ends",
    [lambda session: session.channel.close(), lambda session: session.channel.exit_with_signal("KILL")],
)
async def test_a_channel_that_is_just_closed(
    scripted: ScriptedFactory, heard: Heard, ends: Callable[[Session], object]
) -> None:
    """A server need not say how a command ended."""
    server = await scripted(on_start=say(b"hello\n", ends))
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "true")
        await _over(command)
        assert not made.is_closed()
    assert (heard.stdout, command.exit_status, command.lost) == (b"hello\n", None, None)


# -- who holds the output after the exit ---------------------------------------------------------------------


async def test_a_grandchild_that_holds_the_output(
    connection: asyncssh.SSHClientConnection, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little after the exit the command is over, whoever keeps its output open; and it goes on."""
    monkeypatch.setattr(module, "OUTPUT_GRACE", 0.1)
    command = await heard.start(connection, "sleep 20 & echo $!; exit 4")
    pid = await heard.number()
    begun = time.monotonic()
    await _over(command)
    assert 0.05 < time.monotonic() - begun < 10
    assert command.exit_status == 4
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


async def test_the_end_of_the_output_of_a_far_node_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of it may wait for room in the window, which is a trip to the node and back."""
    monkeypatch.setattr(module, "OUTPUT_GRACE", 0.05)

    class Far:
        async def create_session(self, make: Callable[[], Any], *args: Any, **settings: Any) -> None:
            make()
            await asyncio.sleep(0.05)

    far = cast("asyncssh.SSHClientConnection", Far())
    session = await module.start(far, "true", lambda stream, data: None, separate_stderr=False)
    assert session.output_grace >= 4 * 0.045


async def test_what_a_grandchild_prints_soon_is_heard(
    connection: asyncssh.SSHClientConnection, heard: Heard
) -> None:
    """The rest of the output may come after the exit."""
    command = await heard.start(connection, "(sleep 0.2; echo late; sleep 0.2; echo later) & exit 0")
    await _over(command)
    assert (heard.stdout, command.exit_status) == (b"late\nlater\n", 0)


async def test_a_grandchild_that_never_stops(
    connection: asyncssh.SSHClientConnection, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is listened to for a bounded time."""
    monkeypatch.setattr(module, "OUTPUT_GRACE", 0.2)
    monkeypatch.setattr(module, "OUTPUT_GRACE_TOTAL", 0.4)
    command = await heard.start(connection, "sh -c 'echo $$; while :; do echo x; sleep 0.02; done' & exit 0")
    pid = await heard.number()
    await _over(command)
    assert heard.stdout.count(b"x") > 5
    os.kill(pid, signal.SIGKILL)


async def test_a_server_that_does_not_answer_the_close(
    scripted: ScriptedFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status is enough."""
    monkeypatch.setattr(module, "OUTPUT_GRACE", 0.05)

    def exit_and_go_deaf(session: Session) -> None:
        session.exit_status(7)
        assert session.connection._transport is not None
        session.connection._transport.pause_reading()

    server = await scripted(on_start=exit_and_go_deaf)
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "true")
        await _over(command)
        assert command.exit_status == 7
        assert not made.is_closed()


# -- flow control -------------------------------------------------------------------------------------------


async def test_a_slow_consumer_pauses_the_node(
    connection: asyncssh.SSHClientConnection, heard: Heard
) -> None:
    """While paused nothing is delivered and the node stops; nothing is lost."""
    command = await heard.start(connection, "seq 1 200000; exit 3")
    heard.on_data = lambda data: command.pause_reading()
    await heard.until(lambda output: len(output) > 0)
    received = len(heard.stdout)
    channel = command._channel
    assert channel is not None
    await until(lambda: _held(channel) > 128 * 1024)
    await asyncio.sleep(0.05)
    assert len(heard.stdout) == received
    assert _held(channel) <= 256 * 1024
    assert command.exit_status is None
    heard.on_data = lambda data: None
    command.resume_reading()
    await _over(command)
    assert heard.stdout == NUMBERS
    assert command.exit_status == 3


async def test_paused_again_and_again(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """However often it is paused, all bytes come, in order."""
    command = await heard.start(connection, "seq 1 200000")
    loop = asyncio.get_running_loop()

    def pause(data: bytes) -> None:
        command.pause_reading()
        loop.call_later(0.001, command.resume_reading)

    heard.on_data = pause
    await _over(command)
    assert heard.stdout == NUMBERS


async def test_closed_while_paused(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """What the node sent before it closed the channel is delivered when it is wanted."""
    command = await heard.start(connection, "echo one; read line; echo two; exit 6")
    heard.on_data = lambda data: command.pause_reading()
    await heard.until(lambda output: output == b"one\n")
    await command.write(b"\n")
    await until(lambda: command.exit_status is not None)
    await asyncio.sleep(0.05)
    assert heard.stdout == b"one\n"
    heard.on_data = lambda data: None
    command.resume_reading()
    await _over(command)
    assert (heard.stdout, command.exit_status) == (b"one\ntwo\n", 6)


async def test_paused_for_long_after_the_exit(
    here: asyncssh.SSHClientConnection, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time in which nobody takes anything does not count: a slow consumer loses nothing."""
    monkeypatch.setattr(module, "OUTPUT_GRACE", 0.05)
    monkeypatch.setattr(module, "OUTPUT_GRACE_TOTAL", 0.1)
    command = await heard.start(here, "seq 1 200000 & exit 0")

    def pause(data: bytes) -> None:
        command.pause_reading()
        asyncio.get_running_loop().call_later(0.04, command.resume_reading)

    heard.on_data = pause
    await _over(command)
    assert heard.stdout == NUMBERS


async def test_pausing_when_it_is_over(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Late words change nothing."""
    command = await heard.start(connection, "true")
    await _over(command)
    command.pause_reading()
    command.resume_reading()
    command.close()
    with pytest.raises(BrokenPipeError, match=r"^standard input is closed$"):
        await command.write(b"x")


# -- input --------------------------------------------------------------------------------------------------


async def test_input_is_byte_exact(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """More than any buffer holds goes in and comes out again."""
    data = os.urandom(1 << 20)
    command = await heard.start(connection, "cat")
    await asyncio.wait_for(command.write(data), PATIENCE)
    command.close()
    await _over(command)
    assert heard.stdout == data


async def test_input_waits_for_room(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Not more is held for a command than a few pieces, however much there is."""
    command = await heard.start(connection, "read line; wc -c")
    channel = command._channel
    assert channel is not None
    writing = asyncio.create_task(command.write(b"\n" + b"x" * (20 << 20)))
    held = 0
    while not writing.done():
        held = max(held, channel.get_write_buffer_size())
        await asyncio.sleep(0)
    command.close()
    await _over(command)
    assert heard.stdout.split() == [str(20 << 20).encode()]
    assert held <= 2 * 64 * 1024


async def test_input_that_nobody_reads(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Writing ends when the command does."""
    command = await heard.start(connection, "sleep 0.1")
    with pytest.raises(BrokenPipeError):
        await asyncio.wait_for(command.write(b"x" * (20 << 20)), PATIENCE)
    await _over(command)
    assert command.exit_status == 0


async def test_no_input(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """Nothing and the end of it can be written."""
    command = await heard.start(connection, "wc -c")
    await command.write(b"")
    command.close()
    command.close()
    await _over(command)
    assert heard.stdout.split() == [b"0"]


# -- being ended --------------------------------------------------------------------------------------------


@pytest.fixture(params=["openssh", "here"])
def either(request: pytest.FixtureRequest, sshd: OpenSSHServer) -> asyncssh.SSHClientConnection:
    """A connection to the real server, and one to a node in this process."""
    name = "connection" if request.param == "openssh" else "here"
    made: asyncssh.SSHClientConnection = request.getfixturevalue(name)
    return made


async def test_end_with_term(either: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """A command that is asked to stop may say a last word."""
    command = await heard.start(either, "trap 'echo bye; exit 9' TERM; echo $$; while :; do sleep 0.02; done")
    pid = await heard.number()
    begun = time.monotonic()
    await asyncio.wait_for(command.end(Grace(30)), PATIENCE)
    assert time.monotonic() - begun < 10
    assert not alive(pid)
    assert b"bye\n" in heard.stdout
    assert command.exit_status == 9


async def test_end_with_kill(either: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """One that does not listen is ended after the grace, with what it has started."""
    command = await heard.start(either, "trap '' TERM; sleep 1000 & echo $$ $!; wait; wait; sleep 1000")
    pids = [int(word) for word in (await heard.line()).split()]
    begun = time.monotonic()
    await asyncio.wait_for(command.end(Grace(0.3)), PATIENCE)
    assert 0.29 <= time.monotonic() - begun < 10
    assert [alive(pid) for pid in pids] == [False, False]


async def test_end_while_paused(either: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """What a slow consumer did not take is bounded, also for a command that does not stop printing."""
    command = await heard.start(either, "trap '' TERM; echo $$; while :; do seq 1 1000; done")
    pid = await heard.number()
    command.pause_reading()
    await until(lambda: _held(command._channel) > 128 * 1024)
    received = len(heard.stdout)
    await asyncio.wait_for(command.end(Grace(0.3)), PATIENCE)
    assert not alive(pid)
    assert len(heard.stdout) - received < 2 << 20


async def test_end_of_what_is_over(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """There is nothing to do."""
    command = await heard.start(connection, "true")
    await _over(command)
    begun = time.monotonic()
    await command.end(Grace(30))
    assert time.monotonic() - begun < 1


async def test_end_of_what_a_grandchild_holds(connection: asyncssh.SSHClientConnection, heard: Heard) -> None:
    """A command that has exited is over soon, without the grace."""
    command = await heard.start(connection, "sleep 20 & echo $!; exit 4")
    pid = await heard.number()
    await until(lambda: command.exit_status is not None)
    begun = time.monotonic()
    await asyncio.wait_for(command.end(Grace(30)), PATIENCE)
    assert time.monotonic() - begun < 10
    os.kill(pid, signal.SIGKILL)


async def test_end_of_a_broken_connection(
    cluster: Cluster, here: asyncssh.SSHClientConnection, heard: Heard
) -> None:
    """It ends with the connection."""
    command = await heard.start(here, "sleep 100")
    ending = asyncio.create_task(command.end(Grace(30)))
    await turns(3)
    cluster.disconnect("node1")
    await asyncio.wait_for(ending, PATIENCE)
    await _over(command)


async def test_signals_where_there_is_no_second_session(scripted: ScriptedFactory, heard: Heard) -> None:
    """Where a server takes one session alone it is asked to pass TERM on."""
    asked: list[asyncssh.SSHServerConnection] = []

    def one(connection: asyncssh.SSHServerConnection) -> bool:
        asked.append(connection)
        return len(asked) == 1

    def stop(session: Session, name: str) -> None:
        session.channel.exit_with_signal(name)

    server = await scripted(on_session=one, on_signal=stop)
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "true")
        await asyncio.wait_for(command.end(Grace(30)), PATIENCE)
    assert (server.sessions[0].signals, command.exit_signal, len(asked)) == (["TERM"], "TERM", 2)


async def test_signals_that_are_not_heeded(
    scripted: ScriptedFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TERM, the grace, KILL, a little patience, then the channel is closed."""
    monkeypatch.setattr(module, "KILL_WAIT", 0.1)
    server = await scripted(on_exec=lambda session: session.command == "mine")
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "mine")
        begun = time.monotonic()
        await asyncio.wait_for(command.end(Grace(0.2)), PATIENCE)
        assert 0.29 <= time.monotonic() - begun < 5
        session = server.sessions[0]
        assert session.signals == ["TERM", "KILL"]
        await asyncio.wait_for(session.closed.wait(), PATIENCE)


async def test_the_grace_is_cut(
    scripted: ScriptedFactory, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks again does not want to wait."""
    monkeypatch.setattr(module, "KILL_WAIT", 0.1)
    server = await scripted(on_exec=lambda session: session.command == "mine")
    async with connected(server.options, NODE) as made:
        command = await heard.start(made, "mine")
        grace = Grace(100)
        ending = asyncio.create_task(command.end(grace))
        await until(lambda: server.sessions[0].signals)
        grace.cut()
        await asyncio.wait_for(ending, PATIENCE)
        assert server.sessions[0].signals == ["TERM", "KILL"]
