"""Tests of asynctask.workers.openssh_mux: control sockets that are not as they should be, and one that is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncssh
import pytest
import pytest_asyncio

from asynctask.workers.openssh_mux import MuxConnection, base_options, connect

HELLO = b"\0\0\0\x01\0\0\0\x04"
PROXY = b"\x80\0\0\x0f\0\0\0\x01"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def frame(body: bytes) -> bytes:
    """A packet on the socket."""
    return len(body).to_bytes(4, "big") + body


async def taken(reader: asyncio.StreamReader) -> bytes:
    """The next packet from there."""
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))


class Socket:
    """A control socket that does what a test says.

    Attributes:
        path: where it is.
        serve: called for each connection.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.serve: Serve

    async def connect(self) -> MuxConnection:
        """Open it."""
        async with asyncio.timeout(5):
            return await connect(self.path, base_options(), why_lost=lambda: "the cable was cut")

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.serve(reader, writer)
        finally:
            writer.close()


@pytest_asyncio.fixture
async def control(tmp_path: Path) -> AsyncIterator[Socket]:
    """Such a socket."""
    made = Socket(str(tmp_path / "s"))
    server = await asyncio.start_unix_server(made.handle, made.path)
    yield made
    server.close()
    await server.wait_closed()


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """What a master does at first."""
    assert await taken(reader) == HELLO
    assert await taken(reader) == b"\x10\0\0\x0f\0\0\0\x01"
    writer.write(frame(HELLO) + frame(PROXY))


async def test_opened_and_lost(control: Socket) -> None:
    """It is open when the master has agreed; when it breaks, the reason is asked for."""
    go_on = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await go_on.wait()

    control.serve = serve
    connection = await control.connect()
    assert not connection.is_closed()
    opening = asyncio.ensure_future(connection.create_session(asyncssh.SSHClientSession, "true"))
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncssh.ChannelOpenError):
        await asyncio.wait_for(opening, 5)
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "the cable was cut"),
        (frame(b"\0\0\0\x01\0\0\0\x03"), "the control socket speaks another version"),
        (
            frame(HELLO) + frame(b"\x80\0\0\x03\0\0\0\x01\0\0\0\0"),
            "this ssh does not share its connection; OpenSSH does since 7.4",
        ),
        (b"\xff\xff\xff\xff", "ssh sent a packet that is too large"),
    ],
)
async def test_no_master(control: Socket, answer: bytes, message: str) -> None:
    """What answers is no ssh, or an old one, or none at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    control.serve = serve
    with pytest.raises(asyncssh.Error, match=f"^{message}$"):
        await control.connect()


async def test_nobody_there(tmp_path: Path) -> None:
    """No socket."""
    with pytest.raises(FileNotFoundError):
        await connect(str(tmp_path / "none"), base_options(), why_lost=str)


async def test_a_session(control: Socket) -> None:
    """The connection layer of SSH, cut anywhere: output, a signal's name, the end."""
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        opened = await taken(reader)
        channel = opened[13:17]
        answers = [b"\0\x5b" + channel + b"\0\0\0\x09" + b"\0\x20\0\0" + b"\0\0\x80\0"]
        answers.append(b"\0\x50\0\0\0\0")  # a global request is between ssh and the server
        answers.append(b"\0\x63" + channel)
        answers.append(b"\0\x5e" + channel + b"\0\0\0\x03hi\n")
        name = b"exit-signal"
        answers.append(b"\0\x62" + channel + len(name).to_bytes(4, "big") + name + b"\0" + b"\0\0\0\x04SEGV")
        answers[-1] += b"\0" + b"\0\0\0\0" * 2
        answers.append(b"\0\x61" + channel)
        writer.write(frame(answers.pop(0)))
        requests.append((await taken(reader))[1:2])
        for byte in b"".join(map(frame, answers)):
            writer.write(bytes((byte,)))
            await writer.drain()
        while True:
            requests.append((await taken(reader))[1:2])
            if requests[-1] == b"\x61":
                return

    control.serve = serve
    connection = await control.connect()
    async with asyncio.timeout(5):
        done = await connection.run("anything", encoding=None)
    assert (done.stdout, done.exit_signal and done.exit_signal[0]) == (b"hi\n", "SEGV")
    connection.abort()
    await connection.wait_closed()
    assert requests[0] == b"\x62"


async def test_what_makes_no_sense(control: Socket) -> None:
    """It ends the connection, with the reason."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await taken(reader)
        writer.write(frame(b"\0\x5b\0\0"))
        await writer.drain()
        await reader.read()

    control.serve = serve
    connection = await control.connect()
    with pytest.raises(asyncssh.Error):
        await asyncio.wait_for(connection.create_process("true"), 5)
    await connection.wait_closed()
