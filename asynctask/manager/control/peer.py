"""Who is at the other end of a Unix socket."""

from __future__ import annotations

import os
import socket
import struct
from typing import Protocol

__all__ = ("may_command", "peer_uid")

_UCRED = struct.Struct("3i")  # pid, uid, gid
_XUCRED = struct.Struct("=II")  # version, uid, and more
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE = 0, 1, 76


class HasOptions(Protocol):
    """A socket, or what a loop shows of one."""

    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
        """An option as bytes."""


def peer_uid(sock: HasOptions) -> int:
    """The user who connected, or who listens.

    Raises:
        OSError: the system does not tell.
    """
    if (option := getattr(socket, "SO_PEERCRED", None)) is not None:  # Linux
        return int(_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, _UCRED.size))[1])
    told = sock.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_SIZE)  # macOS and the BSDs
    return int(_XUCRED.unpack_from(told)[1])


def may_command(uid: int) -> bool:
    """Whether this user may tell our processes what to do, and see what they print."""
    return uid in {0, os.geteuid()}
