"""The files of a node, by SFTP: what its server says in our words, and a bound on what is asked at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from typing import cast

import anyio
import asyncssh

from asynctask.transfer.attributes import Attributes, Kind
from asynctask.transfer.names import check_entry, shown
from asynctask.transfer.problems import LinkLost, Problem

__all__ = ("Remote", "RemoteFile", "open_remote")

#: Bytes that are on their way to or from a node at a time. It is what sshd's own window allows.
_IN_FLIGHT = 2 * 1024 * 1024
#: Bytes in one request. Without a word about limits every server takes 32 KiB; none needs more than 256.
_LEAST_PIECE = 32 * 1024
_MOST_PIECE = 256 * 1024
#: Files that are copied beside each other.
_FILES = 8
#: Seconds that a server may take to remove a temporary file, or to end.
_CLEANUP_WAIT = 2.0
#: The largest file there can be.
_MOST_BYTES = 1 << 62


class RemoteFile:
    """An open file on a node."""

    def __init__(self, file: asyncssh.SFTPClientFile, path: bytes) -> None:
        self._file = file
        self._path = path

    async def read(self, size: int, offset: int) -> bytes:
        """What is there, at most ``size`` bytes; nothing at the end."""
        with _speaking_of(self._path):
            data: bytes = await self._file.read(size, offset)
            if len(data) > size:
                raise Problem(self._path, "the server sent more than it was asked for")
            return data

    async def write(self, data: bytes, offset: int) -> None:
        with _speaking_of(self._path):
            await self._file.write(data, offset)

    async def change(self, attributes: asyncssh.SFTPAttrs) -> None:
        with _speaking_of(self._path):
            await self._file.setstat(attributes)

    async def give(self, owner: tuple[int, int]) -> None:
        """Give it to a user and a group, if the server lets us."""
        with suppress(asyncssh.SFTPError):
            await self._file.setstat(asyncssh.SFTPAttrs(uid=owner[0], gid=owner[1]))

    async def close(self) -> None:
        with _speaking_of(self._path):
            await self._file.close()


class Remote:
    """An SFTP session.

    Every method raises :class:`Problem` with the server's reason, or :class:`LinkLost`.

    Attributes:
        read_piece: bytes to read in one request.
        read_span: bytes to read and to write here in one go.
        write_piece: bytes to write in one request.
        reads: room for spans that are read.
        writes: room for requests to write.
        files: room for files.
    """

    def __init__(self, client: asyncssh.SFTPClient) -> None:
        self._client = client
        self.read_piece = _piece(client.limits.max_read_len)
        self.write_piece = _piece(client.limits.max_write_len)
        self.read_span = self.read_piece * max(1, _MOST_PIECE // self.read_piece)
        self.reads = asyncio.Semaphore(_IN_FLIGHT // self.read_span)
        self.writes = asyncio.Semaphore(_IN_FLIGHT // self.write_piece)
        self.files = asyncio.Semaphore(_FILES)

    async def open(self, path: bytes) -> RemoteFile:
        """Open a file for reading."""
        with _speaking_of(path):
            return RemoteFile(await self._client.open(path, "rb", encoding=None, block_size=None), path)

    async def create(self, temporary: bytes, path: bytes, mode: int) -> RemoteFile:
        """Make an empty file, of that mode as far as the node's umask lets it; ``path`` is what it is for."""
        attributes = asyncssh.SFTPAttrs(permissions=mode)
        with _speaking_of(path):
            file = await self._client.open(temporary, "xb", attributes, encoding=None, block_size=None)
            return RemoteFile(file, path)

    async def look(self, path: bytes, *, follow: bool = False) -> Attributes | None:
        """What is there; ``None`` if nothing is."""
        with _speaking_of(path):
            try:
                found = await (self._client.stat(path) if follow else self._client.lstat(path))
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                return None
            return _attributes(path, found)

    async def make_directory(self, path: bytes, mode: int) -> tuple[Attributes | None, Problem | None]:
        """Make a directory unless there is one: what is there then, and why it was not made."""
        made, found = await asyncio.gather(
            self._mkdir(path, mode), self.look(path)
        )  # one round trip for both
        return found, made

    async def _mkdir(self, path: bytes, mode: int) -> Problem | None:
        try:
            with _speaking_of(path):
                await self._client.mkdir(path, asyncssh.SFTPAttrs(permissions=mode))
        except Problem as problem:
            return problem
        return None

    async def change(self, path: bytes, attributes: asyncssh.SFTPAttrs) -> None:
        with _speaking_of(path):
            await self._client.setstat(path, attributes)

    async def read_link(self, path: bytes) -> bytes:
        """Where a link leads."""
        with _speaking_of(path):
            return bytes(await self._client.readlink(path))

    async def make_link(self, temporary: bytes, path: bytes, target: bytes) -> None:
        """Make a link under a temporary name."""
        with _speaking_of(path):
            await self._client.symlink(target, temporary)

    async def rename(self, temporary: bytes, path: bytes) -> None:
        """Give a file its name, in the place of what has it. Without a gap, if the server can."""
        with _speaking_of(path):
            try:
                await self._client.posix_rename(temporary, path)
            except asyncssh.SFTPOpUnsupported:
                await self._replace(temporary, path)

    async def _replace(self, temporary: bytes, path: bytes) -> None:
        """Where nothing can be replaced by renaming: what is there is moved away, and back if that fails."""
        old = temporary + b"-old"
        there = await self.look(path)
        moved = there is not None and there.kind is not Kind.DIRECTORY
        if moved:
            await self._client.rename(path, old)
        try:
            await self._client.rename(temporary, path)
        except BaseException:
            if moved:
                with anyio.move_on_after(_CLEANUP_WAIT, shield=True), suppress(OSError, asyncssh.Error):
                    await self._client.rename(old, path)
            raise
        if moved:
            await self.remove(old)

    async def remove(self, temporary: bytes) -> None:
        """Remove a temporary file, if it is there: also when cancelled, within ``_CLEANUP_WAIT`` seconds."""
        with anyio.move_on_after(_CLEANUP_WAIT, shield=True), suppress(OSError, asyncssh.Error):
            await self._client.remove(temporary)

    @asynccontextmanager
    async def listing(
        self, path: bytes
    ) -> AsyncIterator[AsyncGenerator[tuple[bytes, Attributes | None], None]]:
        """The names in a directory, all of them safe, with what is known of them."""
        entries = self._entries(path)
        try:
            yield entries
        finally:
            with anyio.move_on_after(_CLEANUP_WAIT, shield=True), suppress(LinkLost, Problem):
                await entries.aclose()

    async def _entries(self, path: bytes) -> AsyncGenerator[tuple[bytes, Attributes | None], None]:
        async with aclosing(
            cast("AsyncGenerator[asyncssh.SFTPName, None]", self._client.scandir(path))
        ) as names:
            while True:
                with _speaking_of(path):
                    entry = await anext(names, None)
                if entry is None:
                    return
                name = cast("bytes", entry.filename)
                if name not in (b".", b".."):  # every listing has them
                    check_entry(path, name)
                    yield name, Attributes.remote(entry.attrs)

    async def is_full(self, folder: bytes) -> bool:
        """Whether the file system of a directory has no room left, if the server tells."""
        with anyio.move_on_after(_CLEANUP_WAIT), suppress(Exception):
            found = await self._client.statvfs(folder)
            return bool(found.blocks and not found.bavail)
        return False

    async def aclose(self) -> bool:
        """End the session; whether the server did within ``_CLEANUP_WAIT`` seconds. Also when cancelled."""
        with anyio.move_on_after(_CLEANUP_WAIT, shield=True) as scope:
            with suppress(OSError, asyncssh.Error):
                self._client.exit()
                await self._client.wait_closed()
        return not scope.cancelled_caught


async def open_remote(connection: asyncssh.SSHClientConnection) -> Remote:
    """Start an SFTP session on a connection.

    Raises:
        asyncssh.Error: the server has no SFTP, or what answers is none.
    """
    return Remote(await connection.start_sftp_client(path_encoding=None))


@contextmanager
def _speaking_of(path: bytes) -> Iterator[None]:
    try:
        yield
    except (Problem, LinkLost):
        raise
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection) as exc:
        raise LinkLost(exc.reason) from exc
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as exc:
        raise Problem(path, "no such file or directory") from exc
    except asyncssh.SFTPPermissionDenied as exc:
        raise Problem(path, "permission denied") from exc
    except asyncssh.SFTPNoSpaceOnFilesystem as exc:
        raise Problem(path, "no space left on device") from exc
    except asyncssh.SFTPError as exc:
        raise Problem(path, f"the server refused: {shown(exc.reason) or 'without a reason'}") from exc
    except (asyncssh.Error, OSError) as exc:
        raise LinkLost(str(exc)) from exc
    except Exception as exc:  # what a server sends may break asyncssh in any way
        raise Problem(path, f"the server's answer makes no sense ({exc!r})") from exc


def _attributes(path: bytes, found: asyncssh.SFTPAttrs) -> Attributes:
    attributes = Attributes.remote(found)
    if attributes is None or attributes.size > _MOST_BYTES:
        raise Problem(path, "the server does not say what it is")
    return attributes


def _piece(limit: int) -> int:
    return min(max(limit, _LEAST_PIECE), _MOST_PIECE)
