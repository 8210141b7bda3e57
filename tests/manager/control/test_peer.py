"""Who is at the other end."""

from __future__ import annotations

import os
import socket

import pytest

from asynctask.manager.control import peer

pytestmark = pytest.mark.one_loop("system calls")


def test_the_user_at_the_other_end() -> None:
    """The system tells."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert peer.peer_uid(ours) == os.geteuid()


def test_the_user_at_the_other_end_where_there_is_another_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS has a record of its own."""

    class Socket:
        def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes:
            assert (level, optname) == (0, 1)
            return bytes([0, 0, 0, 0, 0xF5, 1, 0, 0]).ljust(buflen, b"\0")

    monkeypatch.delattr(socket, "SO_PEERCRED")
    assert peer.peer_uid(Socket()) == 501


def test_who_may_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """We and root, nobody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert [uid for uid in (0, 1, 1000, 1001) if peer.may_command(uid)] == [0, 1000]
