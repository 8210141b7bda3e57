"""Our own file."""

from __future__ import annotations

import pytest

from asynctask.cli.settings.ownfile import read
from asynctask.cli.settings.said import Found, Said
from asynctask.errors import UsageError
from tests.cli.settings.machine import Machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def _read(machine: Machine, text: str | bytes) -> Found:
    path = machine.own(text)
    return read(path, path.read_bytes())


def test_values_and_modes(machine: Machine) -> None:
    """Each with its source; keys may be written as their options are."""
    found = _read(
        machine, 'fanout = 9\r\nssh-user = "me"\r\n[mode.careful]\r\nbatch = "10%"\r\n[mode.empty]\r\n'
    )

    source = "~/.config/asynctask/config.toml"
    assert found.values == {"fanout": Said(9, source), "ssh_user": Said("me", source)}
    assert found.modes == {"careful": {"batch": Said("10%", f"{source}, mode careful")}, "empty": {}}
    assert found.warnings == []


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbfmaxrc = true", b"# nothing"])
def test_files_of_editors(machine: Machine, data: bytes) -> None:
    """An empty file, and one that begins with a byte order mark, are fine."""
    assert _read(machine, data).modes == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fanout 3", ":1: no TOML: expected '=' after a key in a key/value pair"),
        ("fanout = 3\nfanout = 4", ":2: no TOML: cannot overwrite a value"),
        ("\na = [1,", ":2: no TOML: invalid value"),
        ("fanout = " + "9" * 5000, ": no TOML: "),
        ("a = " + "[" * 20000, ": nested too deeply"),
        (b'\n\na = "\xe9"', ":3: not UTF-8, as TOML must be"),
        ("\nfanuot = 3", ":2: unknown key 'fanuot'; did you mean 'fanout'?"),
        ("[mode.x]\n\nuser = 'r'", ":3: unknown key 'user'; did you mean 'ssh_user'?"),
        ("mode.x.user = 3", ": unknown key 'user'; did you mean 'ssh_user'?"),
        (
            "[Main]\nfanout = 3",
            ":1: unknown table [Main]; keys stand above all tables, and tables are [mode.NAME]",
        ),
        ("mode = 'sudo'", ":1: modes are tables, such as [mode.sudo]; -m chooses one"),
        ("[mode]\nsudo = true", ":1: modes are tables, such as [mode.sudo]; -m chooses one"),
        ("confdir = 'x'", ":1: confdir belongs into clush.conf; here modes are tables such as [mode.sudo]"),
        ("maxrc = true\nfanout = '3'", ':2: fanout = "3"; it takes a whole number from 1'),
        ("fanout = 3\n[mode.'a b']\nfanout = 0", ":3: fanout = 0; it takes a whole number from 1"),
        ("halt = 'now'", ':1: halt = "now"; it takes text such as "now,fail=1" or "soon,fail=10%"'),
        ("maxrc = 1979-05-27", ":1: maxrc = 1979-05-27; it takes true or false"),
    ],
)
def test_what_is_wrong(machine: Machine, text: str | bytes, message: str) -> None:
    """One line says where, what, and what would be right; also in modes that nobody has chosen."""
    with pytest.raises(UsageError) as error:
        _read(machine, text)

    expected = f"~/.config/asynctask/config.toml{message}"
    assert str(error.value)[: len(expected)] == expected
    assert "\n" not in str(error.value)
