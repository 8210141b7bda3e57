"""Tests of asynctask.ssh.config_parse; test_config_openssh compares with OpenSSH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import SSHConfig
from asynctask.ssh.config_match import Place, Setting
from asynctask.ssh.config_parse import read, read_settings
from tests.ssh.configs import configured


def test_settings_in_sections(write: Path) -> None:
    """A file has a section for its top and one for each block."""
    path = write / "config"
    path.write_text('port 5\n\nHost a\n  UserKnownHostsFile "/x y" /z # both\n')
    top, block = read(path).sections
    assert [tuple(item)[:3] for item in (*top.items, *block.items)] == [  # type: ignore[arg-type]
        ("port", ("5",), Place(str(path), 1)),
        ("userknownhostsfile", ("/x y", "/z"), Place(str(path), 4)),
    ]


def test_files_in_ssh_are_included_by_name(write: Path, home: Path) -> None:
    """A relative name is looked for in ``~/.ssh``."""
    (home / ".ssh" / "more").write_text("Port 5\n")
    assert configured(write, "Include more\n").lookup("a").get("port") == "5"


def test_a_file_in_nobodys_home(write: Path) -> None:
    """The home of a user that does not exist has no files."""
    assert configured(write, "Include ~no-such-user/x\nPort 5\n").lookup("a").get("port") == "5"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host a\n Port\n", "{} line 2: Port has no value"),
        ("\n\nUser=\n", "{} line 3: User has no value"),
        ("User # bob\n", "{} line 1: User has no value"),
        ('User ""\n', "{} line 1: User has no value"),
        ('User "abc\n', "{} line 1: a quotation mark is missing"),
        ("User 'abc\n", "{} line 1: a quotation mark is missing"),
        ("= x\n", "{} line 1: no keyword"),
        ("Match host\n Port 5\n", "{} line 1: Match host has no value"),
        ("Match\n", "{} line 1: Match has no value"),
        ("Include\n", "{} line 1: Include has no value"),
        ("Port 22 33\n", "{} line 1: Port has more than one value"),
        ("Host x\n User a b\n", "{} line 2: User has more than one value"),
        ("SetEnv A=1 B\n", "{} line 1: SetEnv 'B' is not NAME=VALUE"),
        ("ProxyJump # b\n", "{} line 1: ProxyJump has no value"),
        ("Port 5\nUser a\0b\n", "{} line 2: a NUL character"),
    ],
)
def test_a_line_that_makes_no_sense(write: Path, text: str, message: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(SSHConfigError) as raised:
        configured(write, text)
    assert str(raised.value) == "SSH configuration " + message.format(write / "config")


def test_an_error_in_an_included_file_names_that_file(write: Path) -> None:
    """The line is counted in the file that it is in."""
    (write / "part").write_text("Port 5\nUser\n")
    with pytest.raises(SSHConfigError) as raised:
        configured(write, f"\n\n\nInclude {write}/part\n")
    assert str(raised.value) == f"SSH configuration {write}/part line 2: User has no value"


def test_a_file_that_cannot_be_read(write: Path) -> None:
    """The error says which and why."""
    with pytest.raises(SSHConfigError) as raised:
        SSHConfig([write])
    assert str(raised.value) == f"SSH configuration {write}: Is a directory"


def test_a_file_that_includes_itself(write: Path) -> None:
    """This ends, and says where."""
    path = write / "config"
    with pytest.raises(SSHConfigError) as raised:
        configured(write, f"Port 5\nInclude {path}\nInclude {path}\n")
    assert str(raised.value) == f"SSH configuration {path} line 2: Include goes deeper than 16 files"


def test_the_rest_of_a_command_is_kept(write: Path) -> None:
    """A command is one value, with its quotes and number signs."""
    found = configured(write, "ProxyCommand nc '%h' \"%p\" # x\n").lookup("a")
    assert found.get("proxycommand") == "nc '%h' \"%p\" # x"


def test_bytes_that_are_no_text(write: Path) -> None:
    """A file name need not be text."""
    path = write / "config"
    path.write_bytes(b"IdentityFile /k/\xff\xe4\n# \xfe\n")
    value = SSHConfig([path]).lookup("a").get("identityfile")
    assert value is not None
    assert os.fsencode(value) == b"/k/\xff\xe4"


def test_a_file_that_wants_a_second_pass(write: Path) -> None:
    """``Match final`` counts wherever it stands, also in a file that is included for others."""
    (write / "part").write_text("Match host x final\n Port 5\n")
    (write / "config").write_text(f"Host b\n Include {write}/part\n")
    assert read(write / "config").wants_final
    assert not read(Path("/dev/null")).wants_final


def test_lines_without_a_file() -> None:
    """They are for every host, in order, each with its number."""
    (section,) = read_settings(["Port=1", '  IdentityFile "a b"']).sections
    places = [
        (item.keyword, item.values, str(item.place)) for item in section.items if isinstance(item, Setting)
    ]
    assert places == [
        ("port", ("1",), "settings line 1"),
        ("identityfile", ("a b",), "settings line 2"),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no keyword"),
        ("Port", "Port has no value"),
        ("Port 1 2", "Port has more than one value"),
        ("Host a", "Host belongs into a file"),
        ("Match all", "Match belongs into a file"),
        ("Include other", "Include belongs into a file"),
        ("Port 1\nPort 2", "a line break; give each line by itself"),
    ],
)
def test_a_line_without_a_file_that_makes_no_sense(line: str, message: str) -> None:
    """The message names it by its number."""
    with pytest.raises(SSHConfigError) as raised:
        read_settings(["User me", line])
    assert str(raised.value) == f"SSH configuration settings line 2: {message}"
