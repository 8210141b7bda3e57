"""The watches of a tree, and which file systems tell of nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inotify_simple import flags

from asynctask.pollers.inotify_watches import Watches, is_remote
from asynctask.pollers.walk import Stopped

pytestmark = pytest.mark.one_loop

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /home rw shared:1 - nfs4 server:/home rw
31 30 254:1 / /home/local\\040disk rw - xfs /dev/vdb rw
32 22 0:26 / /mnt/ssh rw - fuse.sshfs host: rw
33 22 0:27 / /mnt/usb rw - fuseblk /dev/sda1 rw
34 22 0:28 / /over rw - tmpfs tmpfs rw
35 22 0:29 / /over rw - cifs //server/over rw
36 22 0:30 / /mnt/d\u00f6n\udcff\\040 rw - nfs server:/d rw
37 22 0:31 / /mnt/one\x0cline\u2028 rw - nfs server:/e rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", ""),
        ("/homes", ""),
        ("/home", "nfs4"),
        ("/home/me/inbox", "nfs4"),
        ("/home/local disk/inbox", ""),
        ("/mnt/ssh/a", "fuse.sshfs"),
        ("/mnt/usb/a", ""),
        ("/over/a", "cifs"),
        ("/mnt/d\u00f6n\udcff /a", "nfs"),
        ("/mnt/one\x0cline\u2028/a", "nfs"),
    ],
)
def test_where_others_write(path: str, kind: str) -> None:
    """It goes by the mount that is nearest, the last one of them."""
    assert is_remote(path, MOUNTS) == kind


@pytest.fixture
def watches() -> Iterator[Watches]:
    """Open, and closed after the test."""
    watches = Watches("file:///x", partial=False)
    watches.open()
    yield watches
    watches.close()


def test_forgetting_takes_what_is_below(tmp_path: Path, watches: Watches) -> None:
    """And nothing else."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    watches.add("", str(tmp_path), root=True)
    for name in ("a", "a/b", "ab"):
        watches.add(name, str(tmp_path / name))
    watches.forget("a")
    assert [name in watches for name in ("", "a", "a/b", "ab")] == [True, False, False, True]


def test_a_directory_that_is_found_at_its_new_place_first(tmp_path: Path, watches: Watches) -> None:
    """When its going from the old one is heard later, it stays watched."""
    (tmp_path / "a").mkdir()
    watches.add("a", str(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    watches.add("b", str(tmp_path / "b"))
    watches.forget("a")
    (tmp_path / "b" / "c").touch()
    _, events = watches.read(4096)
    assert [(watches.name_of(event.wd), event.name) for event in events if event.mask & flags.CREATE] == [
        ("b", "c")
    ]


def test_links_are_not_followed(tmp_path: Path, watches: Watches) -> None:
    """But that of the root is."""
    (tmp_path / "a").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        watches.add("a", str(tmp_path / "a"))
    watches.add("", str(tmp_path / "a"), root=True)


def test_closing_under_the_hand_of_a_thread(tmp_path: Path, watches: Watches) -> None:
    """The thread hears of it; nothing is watched with a number that is somebody else's by then."""
    watches.close()
    with pytest.raises(Stopped):
        watches.add("", str(tmp_path))
    with pytest.raises(Stopped):
        watches.open()
    watches.close()


def test_nothing_to_read(watches: Watches) -> None:
    """Is no error."""
    assert watches.waiting() == 0
    assert watches.read(4096) == (0, ())
