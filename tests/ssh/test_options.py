"""Tests of asynctask.ssh.options."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from asynctask.errors import SSHConfigError
from asynctask.ssh.options import HostKeys, SSHOptions


def test_defaults() -> None:
    """Nothing is said by default; the agent is asked."""
    options = SSHOptions()
    values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
    assert values == {
        "config": None,
        "host_keys": None,
        "user": None,
        "port": None,
        "identity_files": None,
        "known_hosts": None,
        "agent": True,
        "agent_forwarding": None,
        "password": None,
        "passphrase": None,
        "prompt": None,
        "ask_each": False,
        "jump": None,
        "settings": (),
        "retries": 8,
        "keepalive": None,
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"host_keys": "maybe"}, "host_keys='maybe': one of 'strict', 'accept-new', 'off'"),
        ({"host_keys": True}, "host_keys=True: one of 'strict', 'accept-new', 'off'"),
        ({"port": 0}, "port=0: a number from 1 to 65535"),
        ({"port": 65536}, "port=65536: a number from 1 to 65535"),
        ({"port": -22}, "port=-22: a number from 1 to 65535"),
        ({"port": "22"}, "port='22': a number from 1 to 65535"),
        ({"port": True}, "port=True: a number from 1 to 65535"),
        ({"port": 22.5}, "port=22.5: a number from 1 to 65535"),
        ({"keepalive": -1}, "keepalive=-1: seconds, or 0 for never"),
        ({"keepalive": float("nan")}, "keepalive=nan: seconds, or 0 for never"),
        ({"keepalive": "15"}, "keepalive='15': seconds, or 0 for never"),
        ({"keepalive": True}, "keepalive=True: seconds, or 0 for never"),
        ({"settings": "Port=22"}, "settings='Port=22': a list of lines, as ['ServerAliveInterval=30']"),
        ({"settings": [22]}, "settings=[22]: a list of lines, as ['ServerAliveInterval=30']"),
        (
            {"settings": ["User=me", "Port=x"]},
            "SSH configuration settings line 2: port 'x' is no number from 1 to 65535",
        ),
        ({"settings": ["Host web1"]}, "SSH configuration settings line 1: Host belongs into a file"),
        (
            {"settings": ["Port=1\nHost=a"]},
            "SSH configuration settings line 1: a line break; give each line by itself",
        ),
        ({"retries": -1}, "retries=-1: how often to try again, 0 or more"),
        ({"retries": 1.5}, "retries=1.5: how often to try again, 0 or more"),
        ({"retries": True}, "retries=True: how often to try again, 0 or more"),
    ],
)
def test_a_value_that_can_never_work(values: dict[str, Any], message: str) -> None:
    """It is refused at once, and the message shows it."""
    with pytest.raises(SSHConfigError) as raised:
        SSHOptions(**values)
    assert str(raised.value) == message


def test_files_may_be_one_or_several(home: Path) -> None:
    """A single name is a list of one, and ``~`` is the home directory."""
    options = SSHOptions(identity_files="~/.ssh/key", known_hosts=[Path("/a"), "~/b"])
    assert options.identity_files == (home / ".ssh" / "key",)
    assert options.known_hosts == (Path("/a"), home / "b")


def test_nobodys_home() -> None:
    """The home of a user that does not exist is no reason to fail before it is looked for."""
    assert SSHOptions(identity_files=["~no-such-user/key"]).identity_files == (Path("~no-such-user/key"),)
    with pytest.raises(SSHConfigError, match=r"^SSH configuration ~no-such-user/config: no such file$"):
        SSHOptions(config="~no-such-user/config").config_files()


def test_equal_options_are_one_key() -> None:
    """Workers with equal options share what is made for them."""
    made = {SSHOptions(user="a", identity_files=["/k"], config="c"): 1}
    assert made[SSHOptions(user="a", identity_files=(Path("/k"),), config="c")] == 1
    assert SSHOptions(user="b") not in made
    assert {SSHOptions(settings=["Port=1"]): 1} == {SSHOptions(settings=("Port=1",)): 1}
    assert SSHOptions(settings=["Port=1"]) != SSHOptions(settings=["Port=2"])


def test_equal_secrets_are_one_key() -> None:
    """What is asked and what is given tell options apart, by a hash that stays the same."""

    def prompt(question: object) -> str:
        return "x"

    def made(**changes: Any) -> SSHOptions:
        return SSHOptions(**{"password": "a", "passphrase": "b", "prompt": prompt, "jump": "c", **changes})

    assert hash(made()) == hash(made())
    assert made() == made()
    others = [made(password="x"), made(passphrase="x"), made(prompt=None), made(jump=None), made(retries=0)]
    assert made() not in others
    assert len({made(), *others}) == 6


def test_no_secret_is_shown() -> None:
    """Neither those that were given nor who is asked for others."""

    def secret_prompt(question: object) -> str:
        return "secret"

    shown = repr(SSHOptions(password="secret", passphrase="secret", prompt=secret_prompt, user="bob"))
    assert "user='bob'" in shown
    for word in ("secret", "password", "passphrase", "prompt"):
        assert word not in shown


@pytest.mark.parametrize("choice", ["strict", "accept-new", "off", None])
def test_choices_for_host_keys(choice: HostKeys | None) -> None:
    """Those of OpenSSH that need nobody to answer."""
    assert SSHOptions(host_keys=choice).host_keys == choice


def test_no_retries() -> None:
    """None may be wanted."""
    assert SSHOptions(retries=0).retries == 0


def test_options_do_not_change() -> None:
    """They are shared, so they are frozen."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        SSHOptions().port = 22  # type: ignore[misc]


def test_no_configuration() -> None:
    """``False`` is no file at all, also where the user has one."""
    assert SSHOptions(config=False).config_files() == []


def test_the_users_configuration(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By default the user's file comes first, then the system's, where they exist."""
    system = tmp_path / "ssh_config"
    monkeypatch.setattr("asynctask.ssh.options._SYSTEM_CONFIG", str(system))
    assert SSHOptions().config_files() == []
    system.touch()
    assert SSHOptions().config_files() == [system]
    (home / ".ssh" / "config").touch()
    assert SSHOptions().config_files() == [home / ".ssh" / "config", system]


def test_a_configuration_of_the_caller(home: Path) -> None:
    """A file that is named is the only one."""
    (home / ".ssh" / "config").touch()
    (home / "mine").touch()
    assert SSHOptions(config="~/mine").config_files() == [home / "mine"]


def test_an_empty_device_is_a_configuration() -> None:
    """What can be read need not be a plain file."""
    assert SSHOptions(config="/dev/null").config_files() == [Path("/dev/null")]


@pytest.mark.parametrize(("name", "what"), [("nope", "no such file"), ("", "is a directory")])
def test_a_configuration_that_is_not_there(tmp_path: Path, name: str, what: str) -> None:
    """A file that is named must exist."""
    path = tmp_path / name
    with pytest.raises(SSHConfigError) as raised:
        SSHOptions(config=path).config_files()
    assert str(raised.value) == f"SSH configuration {path}: {what}"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"user": ""}, "user='': a name, or None for the configured one"),
        ({"password": 3}, "password: a text, not int"),
        ({"passphrase": b"x"}, "passphrase: a text, not bytes"),
        ({"jump": 3}, "jump: a text, not int"),
        ({"jump": ""}, "ProxyJump: target '': no host; write user@host:port, of which host alone is a must"),
        ({"jump": "a b"}, "ProxyJump: target 'a b': a blank or control character in it; remove it"),
        ({"prompt": "x"}, "prompt: a function of the question that returns the answer is needed"),
    ],
)
def test_a_kind_of_value_that_can_never_work(values: dict[str, Any], text: str) -> None:
    """It is said at once."""
    with pytest.raises(SSHConfigError) as caught:
        SSHOptions(**values)
    assert str(caught.value) == text
