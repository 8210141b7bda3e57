"""Unix sockets that listen for our own user."""

from __future__ import annotations

import stat
from contextlib import closing
from pathlib import Path

import pytest

from asynctask.errors import ManagerError
from asynctask.manager.control.listening import UnixListener

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")


def test_a_unix_socket_is_for_us_alone(tmp_path: Path) -> None:
    """From its first moment."""
    path = tmp_path / "a.sock"
    with closing(UnixListener(path).sock):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_socket_that_nobody_serves_is_replaced(tmp_path: Path) -> None:
    """One that is served, or a file, is left alone."""
    path = tmp_path / "a.sock"
    UnixListener(path).sock.close()

    with closing(UnixListener(path).sock) as sock:
        sock.listen()
        with pytest.raises(ManagerError, match="another program listens there"):
            UnixListener(path)
    path.unlink()
    path.touch()
    with pytest.raises(ManagerError, match="no socket"):
        UnixListener(path)


@pytest.mark.parametrize(
    ("path", "reason"), [("none/a.sock", "No such file"), ("a" * 200, "AF_UNIX path too long")]
)
def test_where_there_cannot_be_a_socket(tmp_path: Path, path: str, reason: str) -> None:
    """The system's reason is told, or that of Python."""
    with pytest.raises(ManagerError, match=f"{path}: {reason}"):
        UnixListener(tmp_path / path)


def test_only_our_own_socket_is_removed(tmp_path: Path) -> None:
    """What somebody else has put there is left alone; removing again does nothing."""
    path = tmp_path / "a.sock"
    first = UnixListener(path)
    with closing(first.sock), closing(UnixListener(path).sock):
        first.remove()
        assert path.exists()

    last = UnixListener(path)
    last.sock.close()
    last.remove()
    last.remove()
    assert not path.exists()
