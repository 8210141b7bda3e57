"""A web server in the loop of the test: it answers what the test says, also what no real one would."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ("Asked", "Web", "certificate", "reply")


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    names: tuple[str, ...] = ()
    """Of the headers, as often as they came."""


Answering = Callable[[Asked], bytes | None]


def reply(status: int, body: bytes = b"", *, length: int | None = None, **headers: str) -> bytes:
    """An answer as bytes; in names of headers ``_`` stands for ``-``.

    Args:
        status: of HTTP.
        body: what comes after the headers.
        length: what the headers say about it, if that is a lie.
        **headers: to send.
    """
    lines = [
        f"HTTP/1.1 {status} So",
        *(f"{name.replace('_', '-')}: {text}" for name, text in headers.items()),
    ]
    if status != 304:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Web:
    """An async context manager.

    Args:
        answering: gives the answer to a request. ``None``: no answer, as long as the client waits. One that
            is shorter than it says is the last of its connection.
        tls: speak TLS.
    """

    def __init__(self, answering: Answering | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.answering: Answering = answering or (lambda asked: reply(404))
        self.asked: list[Asked] = []
        self.hanging = asyncio.Event()
        """Set when a request came that gets no answer."""
        self.connections = 0
        """How many were made."""
        self._tls = tls
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [asked.path for asked in self.asked]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Refuse connections from now on, and end those that there are."""
        self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answer(reader, writer):
                    pass
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether there may be another request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ")
        lines = (line.partition(": ") for line in head[1:] if line)
        pairs = [(name.lower(), value) for name, _, value in lines]
        asked = Asked(method, path, dict(pairs), tuple(name for name, _ in pairs))
        self.asked.append(asked)
        answer = self.answering(asked)
        if answer is None:
            self.hanging.set()
            await reader.read(1)
            return False
        writer.write(answer)
        await writer.drain()
        header, _, body = answer.partition(b"\r\n\r\n")
        if (
            f"Content-Length: {len(body)}\r\n".encode() in header + b"\r\n"
            or b" 304 " in header
            or method == "HEAD"
        ):
            return True
        writer.write_eof()  # the client is to see all of it before the end
        await reader.read(1)
        return False


def certificate(directory: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1 that signs itself: its file, and what a server needs."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = directory / "ca.pem", directory / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, secret)
    return file, context
