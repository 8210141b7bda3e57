"""``asynctask config``."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asynctask.cli import config as module
from asynctask.cli.config import command
from asynctask.cli.settings.keys import KEYS
from asynctask.errors import UsageError
from tests.cli.settings.machine import Machine, make_machine

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

OWN = "~/.config/asynctask/config.toml"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine without any configuration."""
    return make_machine(tmp_path, monkeypatch)


def _run(*words: str) -> Result:
    return CliRunner().invoke(command, words, prog_name="asynctask config")


def _output(*words: str) -> str:
    result = _run(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def test_all_values(machine: Machine) -> None:
    """A line for each key, with the columns below each other."""
    machine.own("fanout = 200\n[mode.x]\ncolor = 'never'\n")

    lines = _output("-m", "x", "-O", "maxrc=yes").splitlines()

    assert [line.split() for line in lines if not line.endswith(" default")] == [
        ["fanout", "200", OWN],
        ["color", '"never"', f"{OWN},", "mode", "x"],
        ["maxrc", "true", "-O"],
    ]
    assert [line.split()[0] for line in lines] == [
        key.name for key in KEYS.values() if not key.unused and not key.clush_only
    ]
    assert len({line.index(line.split()[1]) for line in lines}) == 1
    assert "ssh_user         -        default" in lines


def test_keys_of_clush_that_change_nothing(machine: Machine) -> None:
    """Are shown where somebody has set them, with the reason."""
    path = machine.clush("[Main]\nrsh_path: /bin/rsh\n")

    assert f"{path} (not used: there is no rsh here)\n" in _output()
    assert json.loads(_output("rsh_path", "--json")) == {
        "rsh_path": {"value": "/bin/rsh", "source": str(path), "unused": "there is no rsh here"}
    }


def test_as_json(machine: Machine) -> None:
    """The same as an object, as files have the values."""
    machine.own("connect_timeout = 0\n")

    found = json.loads(_output("--json"))

    assert found["connect_timeout"] == {"value": 0, "source": OWN}
    assert found["fanout"] == {"value": 64, "source": "default"}
    assert found["ssh_user"] == {"value": None, "source": "default"}
    assert "rsh_path" not in found


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (["fanout"], "64\n"),
        (["command-timeout"], "0\n"),
        (["maxrc"], "false\n"),
        (["color"], "auto\n"),
        (["ssh_user"], "\n"),
        (["ssh_user", "-O", "ssh_user=me"], "me\n"),
        (["sudo", "-m", "sudo"], "root\n"),
    ],
)
def test_one_value(machine: Machine, words: list[str], output: str) -> None:
    """Bare, for scripts."""
    assert _output(*words) == output


def test_modes(machine: Machine) -> None:
    """A line for each, and the same as JSON."""
    machine.own("[mode.careful]\nbatch = '10%'\ndeadline = 0\n")

    assert _output("--modes") == (
        f'careful  {OWN}  batch = "10%", deadline = 0\n'
        'sudo     built in                         sudo = "root"\n'
    )
    assert json.loads(_output("--modes", "--json"))["careful"] == {
        "source": OWN,
        "values": {"batch": "10%", "deadline": 0},
    }


def test_paths(machine: Machine) -> None:
    """What was looked for, and what became of it."""
    machine.own("")
    etc = machine.etc

    assert _output("--path") == (
        f"not there  {etc}/clustershell/clush.conf\n"
        "not there  ~/.local/etc/clustershell/clush.conf\n"
        "not there  ~/.config/clustershell/clush.conf\n"
        f"not there  {etc}/asynctask/config.toml\n"
        f"read       {OWN}\n"
    )
    assert json.loads(_output("--path", "--json"))[-1] == {
        "path": str(machine.home / ".config/asynctask/config.toml"),
        "state": "read",
    }


@pytest.mark.parametrize(("text", "state"), [(None, "Is a directory"), ("fanuot = 3", "read")])
def test_paths_where_a_file_is_wrong(machine: Machine, text: str | None, state: str) -> None:
    """They are listed all the same, and then it is said."""
    if text is None:
        (machine.home / ".config/asynctask/config.toml").mkdir(parents=True)
    else:
        machine.own(text)

    result = _run("--path")

    assert isinstance(result.exception, UsageError)
    assert [line.split("  ")[0] for line in result.stdout.splitlines()] == ["not there"] * 4 + [state]


def test_the_example(machine: Machine) -> None:
    """Is a file that can be used as it is, also where the one that there is cannot be read."""
    machine.own("nonsense")

    assert tomllib.loads(_output("--example")) == {}


def test_warnings(machine: Machine) -> None:
    """Are for people: standard output stays clean."""
    path = machine.clush("[Main]\nfanuot: 3\n")

    result = _run("fanout")

    assert (result.exit_code, result.stdout) == (0, "64\n")
    assert result.stderr == f"asynctask: {path}: unknown key 'fanuot'; did you mean 'fanout'?\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fanuot"], "unknown key 'fanuot'; did you mean 'fanout'?"),
        (["--modes", "--path"], "give one of KEY, --modes, --path and --example"),
        (["fanout", "--example"], "give one of KEY, --modes, --path and --example"),
        (["-m", "x"], "-m x: there is no such mode; known are sudo"),
        (["-O", "x"], "-O x: KEY=VALUE is expected, such as fanout=16"),
    ],
)
def test_wrong_usage(machine: Machine, words: list[str], message: str) -> None:
    """Is refused with status 2."""
    result = _run(*words)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith(f"Error: {message}\n")


def test_a_password_is_not_shown(machine: Machine) -> None:
    """Wherever the value appears."""
    machine.clush("[Main]\nssh_path: sshpass -p hunter2 ssh\n[mode:x]\nssh_path: sshpass -phunter2 ssh\n")

    for words in ([], ["--json"], ["ssh_path"], ["ssh_path", "--json"], ["--modes"], ["--modes", "--json"]):
        shown = _output(*words, "-m", "x")
        assert "sshpass -p***" in shown
        assert "hunter2" not in shown


def test_what_is_in_a_file_cannot_drive_the_terminal(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a pipe it goes byte for byte."""
    machine.clush(b"[Main]\nssh_user: \x1b[31m\xe9\n")

    piped = CliRunner().invoke(command, ["ssh_user"]).stdout_bytes
    monkeypatch.setattr(module, "is_terminal", lambda fd: fd == 1)
    shown = CliRunner().invoke(command, ["ssh_user"]).stdout_bytes

    assert (piped, shown) == (b"\x1b[31m\xe9\n", "^[[31m\ufffd\n".encode())


def test_a_file_from_a_pipe(machine: Machine) -> None:
    """As shells write it: ``--conf <(...)``."""
    reading, writing = os.pipe()
    os.write(writing, b"fanout = 5\n")
    os.close(writing)

    try:
        assert _output("--conf", f"/dev/fd/{reading}", "fanout") == "5\n"
    finally:
        os.close(reading)
