"""The SFTP subsystem of a test node: the files that its commands see."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any, cast

import asyncssh
from asyncssh.stream import SSHServerStreamSession

__all__ = ("Files", "sftp_session")

# The version that OpenSSH speaks.
_VERSION = 3


class Files(asyncssh.SFTPServer):
    """The files of this machine; relative paths are in ``home``, as are those of commands.

    Nothing here takes long: what is read or written at a time is small and in the system's cache.
    """

    def __init__(self, chan: asyncssh.SSHServerChannel[bytes], home: Path) -> None:
        super().__init__(chan)
        self._home = os.fsencode(home)

    def map_path(self, path: bytes) -> bytes:
        return os.path.join(self._home, path)  # noqa: PTH118 - of bytes

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        local = self.map_path(path)
        try:
            fifo = stat.S_ISFIFO(os.stat(local).st_mode)  # noqa: PTH116 - of bytes
        except OSError:
            fifo = False
        if fifo:  # opening it would wait, and with it all nodes
            raise asyncssh.SFTPFailure("A FIFO cannot be opened here")
        return super().open(path, pflags, attrs)

    async def read(self, file_obj: object, offset: int, size: int) -> bytes:
        await asyncio.sleep(0)  # a copy within the node is a loop of reads and writes, without a pause
        return cast(bytes, super().read(file_obj, offset, size))

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        os.symlink(oldpath, self.map_path(newpath))  # noqa: PTH211 - of bytes; the target stays as it is

    def fsync(self, file_obj: object) -> None:
        """Nothing outlives the cluster, so nothing waits for a disk."""

    def exit(self) -> None:
        """With a status, as OpenSSH's scp wants it of a server that did well."""
        self.channel.exit(0)


def sftp_session(home: Path) -> asyncssh.SSHServerSession[bytes]:
    """Make the session of an SFTP client."""

    def files(channel: Any) -> Files:
        return Files(channel, home)

    return SSHServerStreamSession(None, files, _VERSION)
