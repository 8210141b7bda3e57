"""The same command lines by ``clush`` and by ``asynctask run`` over SSH, to a real sshd."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.clush import Clush
from tests.cli.conftest import CommandLine
from tests.cli.programs import Finished
from tests.sshd import OpenSSHServer

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

Pair = tuple[Finished, Finished]


@pytest.fixture
def config(sshd: OpenSSHServer, tmp_path: Path) -> Iterator[Path]:
    """The nodes of sshd, and ``gone``, where nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        path = tmp_path / "config"
        path.write_text(
            f"Include {sshd.files.ssh_config}\n"
            f"Host gone\n HostName 127.0.0.1\n Port {reserved.getsockname()[1]}\n"
        )
        yield path


class Both:
    """What the fixture ``both`` is."""

    def __init__(self, clush: Clush, asynctask: CommandLine, config: Path) -> None:
        self._clush = clush
        self._asynctask = asynctask
        self._config = config

    def __call__(self, *words: str) -> Pair:
        """How a command line ends with both; ``DIR`` in it is ``theirs`` and ``ours``."""
        first = ("-n", "-o", f"-F {self._config}")
        theirs = self._clush(*first, *(word.replace("DIR", "theirs") for word in words))
        ours = self._asynctask("run", *first, *(word.replace("DIR", "ours") for word in words))
        return theirs, ours


@pytest.fixture
def both(
    clush: Clush, asynctask: CommandLine, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Both:
    """Runs a command line by both, in a directory with something to copy."""
    monkeypatch.chdir(tmp_path)
    for name in ("theirs", "ours"):
        Path(name).mkdir()
    Path("one").write_text("1")
    Path("two").write_text("22")
    Path("tree/sub").mkdir(parents=True)
    Path("tree/sub/leaf").write_text("333")
    os.utime("one", (1e9, 1e9))
    Path("one").chmod(0o751)
    return Both(clush, asynctask, config)


def _files(directory: str) -> dict[str, str]:
    there = Path(directory)
    return {str(file.relative_to(there)): file.read_text() for file in there.rglob("*") if file.is_file()}


def _same(pair: Pair) -> tuple[int, bytes]:
    theirs, ours = pair
    assert (ours.status, ours.stdout) == (theirs.status, theirs.stdout)
    return ours.status, ours.stdout


def test_commands(both: Both) -> None:
    """Gathered; the exit code is the node's, 255 if it could not be reached."""
    assert _same(
        both("-S", "-b", "-l", os.environ.get("USER", "root"), "-w", "n[1-2]", "echo x; exit 4")
    ) == (
        4,
        b"---------------\nn[1-2] (2)\n---------------\nx\n",
    )
    theirs, ours = both("-S", "-t", "5", "-w", "n1,gone", "echo x")
    assert _same((theirs, ours)) == (255, b"n1: x\n")
    assert theirs.stderr.splitlines()[-1] == b"clush: gone: exited with exit code 255"
    assert b"asynctask: gone: port " in ours.stderr


def test_a_signal_there(both: Both) -> None:
    """The program ssh does not tell it from a connection that is lost; here it is as on this machine."""
    theirs, ours = both("-S", "-w", "n1", "kill -9 $$")

    assert (theirs.status, ours.status) == (255, 137)


def test_copies(both: Both) -> None:
    """Several files, a directory, into a directory that is there; with ``-p`` as they are."""
    assert _same(both("-w", "n1", "-c", "one", "two", "tree", "--dest", f"{Path.cwd()}/DIR")) == (0, b"")
    assert _same(both("-p", "-w", "n1", "-c", "one", "--dest", f"{Path.cwd()}/DIR/other")) == (0, b"")

    assert (
        _files("ours") == _files("theirs") == {"one": "1", "two": "22", "tree/sub/leaf": "333", "other": "1"}
    )
    for name in ("theirs", "ours"):
        other = Path(name, "other").stat()
        assert (other.st_mtime, other.st_mode & 0o777) == (1e9, 0o751)
        assert Path(name, "one").stat().st_mtime != 1e9


def test_copies_from_there(both: Both) -> None:
    """Each with its node behind its name."""
    sources = [f"{Path.cwd()}/{name}" for name in ("one", "tree")]

    assert _same(both("-w", "n[1-2]", "--rcopy", *sources, "--dest", "DIR")) == (0, b"")

    wanted = {f"{name}.n{n}{rest}" for n in (1, 2) for name, rest in (("one", ""), ("tree", "/sub/leaf"))}
    assert _files("ours").keys() == _files("theirs").keys() == wanted


def test_where_copies_go(asynctask: CommandLine, both: Both, config: Path) -> None:
    """By default into the directory where they come from, there and back."""
    here = ("run", "-n", "-F", str(config), "-w", "n1")

    assert asynctask(*here, "--rcopy", f"{Path.cwd()}/one") == (0, b"", b"")
    Path("two").chmod(0o600)
    assert asynctask(*here, "-c", "two", "-p") == (0, b"", b"")

    assert Path("one.n1").read_text() == "1"
    assert (Path("two").read_text(), Path("two").stat().st_mode & 0o777) == ("22", 0o600)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (
            "-w n1 -S -c one --dest /no/such/place",
            1,
            "asynctask: n1: /no/such/place: no such file or directory",
        ),
        ("-w n1,gone -S -c one two --dest CWD/DIR", 255, "asynctask: gone: port "),
        ("-w n1 -S --rcopy /no/such --dest DIR", 1, "asynctask: n1: /no/such: no such file or directory"),
        ("-w n1 -c /no/such --dest DIR", 1, "asynctask: source /no/such: no such file or directory"),
        (
            "-w n1 --rcopy one --dest DIR/none",
            1,
            "asynctask: dest ours/none: must be a directory that exists",
        ),
    ],
)
def test_copies_that_fail(both: Both, words: str, status: int, message: str) -> None:
    """The same exit status; the reason is said."""
    theirs, ours = both(*words.replace("CWD", str(Path.cwd())).split())

    assert (theirs.status, ours.status) == (status, status)
    assert ours.stderr.decode().startswith(message)
    assert _files("ours") == _files("theirs")


def test_by_a_jump_host(asynctask: CommandLine, sshd: OpenSSHServer, config: Path) -> None:
    """``-J`` logs in there first."""
    before = sshd.logins()

    finished = asynctask("run", "-n", "-F", str(config), "-J", "n1", "-w", "n[2-3]", "-L", "echo x")

    assert finished == (0, b"n2: x\nn3: x\n", b"")
    assert sshd.logins() - before == 3


def test_the_system_s_ssh(asynctask: CommandLine, config: Path) -> None:
    """``-R openssh`` has all of its options."""
    words = ("run", "-n", "-R", "openssh", "-o", f"-F {config} -o LogLevel=ERROR", "-w", "n1")

    assert asynctask(*words, "echo x") == (0, b"n1: x\n", b"")
