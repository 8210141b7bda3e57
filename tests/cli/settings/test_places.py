"""Where configuration is looked for."""

from __future__ import annotations

import pwd
import sys
from pathlib import Path

import pytest

from asynctask.cli.settings import places
from asynctask.cli.settings.places import NOT_THERE, READ, File, clush_files, look, own_files, short
from asynctask.errors import UsageError
from tests.cli.settings.machine import Machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def test_own_files(machine: Machine) -> None:
    """The machine's, then the user's."""
    assert own_files() == [
        machine.etc / "asynctask" / "config.toml",
        machine.home / ".config" / "asynctask" / "config.toml",
    ]


def test_clush_files(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that ClusterShell reads, in its order, but for the one that came with the Python package."""
    from ClusterShell.Defaults import config_paths

    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", "/site")
    installed = f"{sys.prefix}/etc/clustershell/clush.conf"
    theirs = [path for path in config_paths("clush.conf") if path != installed]

    assert [str(path) for path in clush_files()] == [
        str(machine.etc / "clustershell" / "clush.conf"),
        *theirs[1:],
    ]


def test_a_directory_of_the_user_s_choice(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_CONFIG_HOME is in place of ~/.config."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "/chosen")

    assert own_files()[-1] == Path("/chosen/asynctask/config.toml")
    assert clush_files()[-1] == Path("/chosen/clustershell/clush.conf")


def test_a_relative_directory_of_the_user_s_choice(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts as none, as its standard says."""
    monkeypatch.setenv("XDG_CONFIG_HOME", "here")

    assert own_files()[-1] == machine.home / ".config" / "asynctask" / "config.toml"


def test_the_same_file_twice(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is looked for once."""
    monkeypatch.setenv("CLUSTERSHELL_CFGDIR", str(machine.etc / "clustershell"))

    assert len(clush_files()) == len(set(clush_files())) == 3


def test_a_user_without_a_home(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the machine's files: a container may run as a number that nobody knows."""

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)

    assert own_files() == [machine.etc / "asynctask" / "config.toml"]
    assert clush_files() == [machine.etc / "clustershell" / "clush.conf"]
    assert short(machine.home) == str(machine.home)


def test_short(machine: Machine) -> None:
    """Below the home it begins with a tilde."""
    assert short(machine.home / "a" / "b") == "~/a/b"
    assert short(machine.etc / "a") == str(machine.etc / "a")


def test_a_home_that_is_everything(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens nothing."""
    monkeypatch.setenv("HOME", "/")

    assert short(Path("/etc/x")) == "/etc/x"


def test_a_file_is_read(machine: Machine) -> None:
    """Byte for byte."""
    path = machine.own(b"\xff\r\n")

    assert look(path) == File(path, READ, b"\xff\r\n")


@pytest.mark.parametrize("name", ["nothing", "file/below"])
def test_a_file_that_is_not_there(tmp_path: Path, name: str) -> None:
    """Is no error, unless somebody has named it."""
    (tmp_path / "file").touch()

    assert look(tmp_path / name) == File(tmp_path / name, NOT_THERE)
    with pytest.raises(UsageError, match=rf"^configuration {tmp_path / name}: N"):
        look(tmp_path / name, needed=True)


def test_a_directory(machine: Machine) -> None:
    """Is an error where a file of ours should be; what is not ours is left out."""
    reason = "Is a directory"

    with pytest.raises(UsageError, match=r"^configuration ~: Is a directory$"):
        look(machine.home)
    with pytest.raises(UsageError, match=r"^configuration ~: Is a directory$"):
        look(machine.home, needed=True, foreign=True)
    assert look(machine.home, foreign=True) == File(machine.home, reason)


def test_a_directory_that_cannot_be_searched(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether there is a file: it is said, and no more."""
    path = machine.home / "config.toml"
    _refuse(monkeypatch, "open", "stat")

    assert look(path) == File(
        path,
        "Permission denied",
        warning="configuration ~/config.toml is left out: Permission denied",
    )


def test_a_file_that_cannot_be_read(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Was meant to count."""
    path = machine.own("")
    _refuse(monkeypatch, "open")

    with pytest.raises(
        UsageError, match=r"^configuration ~/\.config/asynctask/config\.toml: Permission denied$"
    ):
        look(path)


def _refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Do as the system does for a user who may not: the tests may run as one who may do all."""

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    for name in names:
        monkeypatch.setattr(Path, name, refuse)


def test_a_file_that_everybody_can_write_to(machine: Machine) -> None:
    """Is read, with a warning: it may name commands."""
    path = machine.own("")
    path.chmod(0o666)

    assert look(path).warning == (
        "configuration ~/.config/asynctask/config.toml: everybody can write to it; chmod o-w"
    )


def test_the_null_device() -> None:
    """Is a configuration that says nothing."""
    assert look(Path("/dev/null"), needed=True) == File(Path("/dev/null"), READ, b"")


def test_something_large(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is no configuration, and is not read to its end, which it may not have."""
    monkeypatch.setattr(places, "_MOST", 10)
    machine.own(b"x" * 11)

    with pytest.raises(UsageError, match="larger than 1 MiB"):
        look(own_files()[-1])
    with pytest.raises(UsageError, match="larger than 1 MiB"):
        look(Path("/dev/zero"))
