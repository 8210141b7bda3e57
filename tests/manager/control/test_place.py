"""Where control sockets are."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from asynctask.errors import ManagerError, UsageError
from asynctask.manager.control import place
from asynctask.manager.control.place import make_private, socket_path
from tests.support import refused

pytestmark = pytest.mark.one_loop("files")


@pytest.fixture(autouse=True)
def _no_run_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a directory below /run/user."""
    monkeypatch.setattr(place, "_RUN_USER", tmp_path / "run-user")


def runtime(path: Path) -> dict[str, str]:
    """An environment with a runtime directory of our own."""
    path.mkdir(mode=0o700, exist_ok=True)
    return {"XDG_RUNTIME_DIR": str(path)}


def test_what_is_given_comes_first(tmp_path: Path) -> None:
    """Then the variable, then the rule; a relative path is one from here."""
    environ = {"ASYNCTASK_SOCKET": "/run/b.sock", **runtime(tmp_path / "run")}
    assert socket_path(tmp_path, "/run/a.sock", environ) == Path("/run/a.sock")
    assert socket_path(tmp_path, None, environ) == Path("/run/b.sock")
    assert socket_path(tmp_path, "c.sock", environ) == Path.cwd() / "c.sock"


def test_the_runtime_directory_of_the_user(tmp_path: Path, run_dir: Path) -> None:
    """There the name tells the directory, and is the same however that is written."""
    (tmp_path / "my app").mkdir()
    (tmp_path / "link").symlink_to("my app")
    environ = runtime(run_dir)
    path = socket_path(tmp_path / "my app", None, environ)
    assert path.parent == run_dir / "asynctask"
    assert re.fullmatch(r"my_app-[0-9a-f]{8}\.sock", path.name)
    assert socket_path(tmp_path / "link" / "..", None, environ) != path
    assert socket_path(tmp_path / "link", None, environ) == path


def test_directories_of_one_name_have_sockets_of_their_own(tmp_path: Path, run_dir: Path) -> None:
    """Two checkouts of a project do not meet."""
    environ = runtime(run_dir)
    assert len({socket_path(tmp_path / parent / "app", None, environ) for parent in "ab"}) == 2


def test_a_runtime_directory_of_somebody_else_is_passed_over(tmp_path: Path) -> None:
    """After "su" it is still that of another; one that others may write to, or too long, is none either."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    fallback = Path(f"/tmp/asynctask-{os.geteuid()}")
    too_long = tmp_path / ("x" * 100)
    too_long.mkdir(mode=0o700)
    for directory in (open_to_all, too_long, tmp_path / "missing", Path("relative"), Path("/dev/null")):
        assert socket_path(tmp_path, None, {"XDG_RUNTIME_DIR": str(directory)}).parent == fallback


def test_the_runtime_directory_is_found_without_its_variable(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs of cron find the manager that a login session has started."""
    (run_dir / str(os.geteuid())).mkdir(mode=0o700)
    monkeypatch.setattr(place, "_RUN_USER", run_dir)
    assert socket_path(".", None, {}).parent == run_dir / str(os.geteuid()) / "asynctask"


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """The system would refuse it with less to go on."""
    path = "/" + "x" * 107
    refused(
        UsageError,
        f"{path}: a socket's path may have 107 bytes: choose a shorter one with --socket",
        lambda: socket_path(tmp_path, path, {}),
    )
    assert socket_path(tmp_path, path[:-1], {}) == Path(path[:-1])


def test_a_directory_with_a_long_name(tmp_path: Path, run_dir: Path) -> None:
    """Its socket has a short one."""
    assert len(socket_path(tmp_path / ("x" * 200), None, runtime(run_dir)).name) == 24 + 1 + 8 + 5


def test_the_root_directory(run_dir: Path) -> None:
    """It has no name."""
    assert socket_path("/", None, runtime(run_dir)).name.startswith("root-")


def test_the_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    """Whatever the umask; one that is there stays as it is."""
    make_private(tmp_path / "new" / "a.sock")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "new").chmod(0o755)
    make_private(tmp_path / "new" / "a.sock")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o755


def test_a_directory_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it could put another socket into the place of ours."""
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    if other.stat().st_uid == 0:
        os.chown(other, 4343, -1)
    refused(
        ManagerError,
        f"{other}: belongs to another user: choose another place with --socket",
        lambda: make_private(other / "a.sock"),
    )


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """The reason is told."""
    (tmp_path / "file").write_text("")
    refused(
        ManagerError,
        f"{tmp_path}/file/below: Not a directory",
        lambda: make_private(tmp_path / "file" / "below" / "a.sock"),
    )
