"""clush.conf and what it includes."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.settings.clushfile import read
from asynctask.cli.settings.places import READ, File
from asynctask.cli.settings.said import Found, Said
from asynctask.errors import UsageError
from tests.cli.settings.machine import Machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def _read(*paths: Path) -> tuple[Found, list[File]]:
    return read([(path, path.read_bytes()) for path in paths])


def test_values_and_modes(machine: Machine) -> None:
    """Text, each with its source; sections of others are theirs."""
    path = machine.clush(
        "[Main]\nfanout: 9\n# x\nMaxRC = yes\n[mode:a]\ncolor: never\n[mode:b]\n[other]\nx: 3\n"
    )

    found, more = _read(path)

    assert found.values == {
        "fanout": Said("9", str(path), is_text=True),
        "maxrc": Said("yes", str(path), is_text=True),
    }
    assert found.modes == {"a": {"color": Said("never", f"{path}, mode a", is_text=True)}, "b": {}}
    assert (found.warnings, more) == ([], [])


def test_the_last_file_counts(machine: Machine) -> None:
    """Key by key, in modes too."""
    site = machine.clush("[Main]\nfanout: 9\nmaxrc: yes\n[mode:a]\nfanout: 1\ncolor: never\n")
    user = machine.clush_of_user("[Main]\nfanout: 7\n[mode:a]\nfanout: 2\n")

    found, _ = _read(site, user)

    assert {name: said.value for name, said in found.values.items()} == {"fanout": "7", "maxrc": "yes"}
    assert found.values["fanout"].source == "~/.config/clustershell/clush.conf"
    assert {name: said.value for name, said in found.modes["a"].items()} == {"fanout": "2", "color": "never"}
    assert found.modes["a"]["color"].source == f"{site}, mode a"


def test_the_files_of_confdir(machine: Machine) -> None:
    """By name, each directory once; ``$CFGDIR`` is where the last clush.conf is."""
    site = machine.clush(
        f"[Main]\nfanout: 1\nconfdir: {machine.etc}/clustershell/d $CFGDIR/d/../d /nowhere\n"
    )
    names = ["d/b.conf", "d/a.conf", "d/.hidden.conf", "d/sudo.conf.example"]
    files = {name: machine.clush(f"[Main]\nfanout: 2\n[mode:{name[2]}]\n", name) for name in names}

    found, more = _read(site)

    order = [files["d/a.conf"], files["d/b.conf"]]
    assert [(file.path, file.state) for file in more] == [(path, READ) for path in order]
    assert found.values["fanout"] == Said("2", str(order[-1]), is_text=True)
    assert list(found.modes) == ["a", "b"]


def test_a_file_of_confdir_that_cannot_be_read(machine: Machine) -> None:
    """Is for others: a file with a password is root's."""
    site = machine.clush("[Main]\nconfdir: $CFGDIR/d\n")
    (machine.etc / "clustershell" / "d" / "x.conf").mkdir(parents=True)

    found, more = _read(site)

    assert [file.state for file in more] == ["Is a directory"]
    assert found.warnings == []


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("fanuot: 3", "unknown key 'fanuot'; did you mean 'fanout'?"),
        ("ssh_options: -o %h", "ssh_options is left out: a percent sign is written %%"),
        ("confdir: $CFGDIR/clush.conf", "confdir {0} is left out: Not a directory"),
        ("confdir: 'x", "confdir is left out: No closing quotation"),
        ("confdir: %x", "confdir is left out: '%' must be followed by '%' or '(', found: '%x'"),
    ],
)
def test_what_is_wrong_and_can_be_left_out(machine: Machine, text: str, warning: str) -> None:
    """Is told, and no more: the file is the site's, and does for clush."""
    path = machine.clush(f"[Main]\n{text}\n")

    found, _ = _read(path)

    assert found.warnings[0] == f"{path}: {warning.format(path)}"


def test_a_mode_has_warnings_too(machine: Machine) -> None:
    """With its name."""
    path = machine.clush("[mode:a]\nfanuot: 3\n")

    assert _read(path)[0].warnings == [f"{path}, mode a: unknown key 'fanuot'; did you mean 'fanout'?"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fanout: 3\n", ":1: no clush.conf: a section such as [Main] comes first"),
        ("[Main]\nfanout\n", ":2: no clush.conf: KEY: VALUE is expected"),
        ("[Main]\nfanout: 3\nFanout: 3\n", ":3: fanout is there twice"),
        ("[Main]\n[Main]\n", ":2: [Main] is there twice"),
    ],
)
def test_no_such_file(machine: Machine, text: str, message: str) -> None:
    """One line names the place."""
    path = machine.clush(text)

    with pytest.raises(UsageError) as error:
        _read(path)

    assert str(error.value) == f"{path}{message}"


def test_percent_signs_and_other_bytes(machine: Machine) -> None:
    """A percent sign is written as two; a comment in an old character set is no reason to stop."""
    path = machine.clush(
        b"[Main]\n# \xe9\nssh_options: -o ProxyCommand='ssh -W %%h:%%p gw'\nssh_user: \xe9\n"
    )

    found, _ = _read(path)

    assert found.values["ssh_options"].value == "-o ProxyCommand='ssh -W %h:%p gw'"
    assert found.values["ssh_user"].value == "\udce9"
