"""A file for each node."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.gathering.files import require_directory, write_files
from asynctask.cli.gathering.labels import Labels, Split
from asynctask.cli.gathering.reading import Gathered
from asynctask.errors import UsageError

pytestmark = pytest.mark.one_loop("no event loop runs here")


def test_files(tmp_path: Path) -> None:
    """Byte for byte; a name leads nowhere else, and what was there is gone."""
    (tmp_path / "a").write_bytes(b"before, and longer")
    found = Gathered(Labels("never"), Split())
    found.add(b"a: \xff\0\r\nb: 1\nb: 2\n../c: x\n..: y\n")

    write_files(str(tmp_path), found.messages())

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "a": b"\xff\0\r\n",
        "b": b"1\n2\n",
        "..%2Fc": b"x\n",
        "%2E.": b"y\n",
    }


def test_a_directory_is_made_if_that_is_asked_for(tmp_path: Path) -> None:
    """With those above it."""
    path = tmp_path / "a" / "b"

    require_directory(str(path), create=True)

    assert path.is_dir()
    require_directory(str(path), create=False)


@pytest.mark.parametrize(
    ("name", "create", "reason"),
    [("new", False, "no such directory; -f makes it"), ("file/new", True, "Not a directory")],
)
def test_a_directory_that_is_not_there(tmp_path: Path, name: str, create: bool, reason: str) -> None:
    """It is said why."""
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=f"^-d .*{name}: {reason}"):
        require_directory(str(tmp_path / name), create=create)
