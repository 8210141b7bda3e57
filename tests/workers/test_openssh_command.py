"""Tests of asynctask.workers.openssh_command: command lines of ssh, and its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asynctask import SSHOptions
from asynctask.errors import ConnectionFailedError, UsageError
from asynctask.ssh.targets import Target
from asynctask.workers.openssh_command import check_options, common, master, query, read_query, target_of
from asynctask.workers.openssh_log import Place
from tests.support import refused

WEB1 = Target(None, "web1", None)
UNRECORDED = ("-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null")
ANSWER = """\
user me
hostname 10.0.0.1
port 2222
hostkeyalias one
userknownhostsfile /k/1 /k/2
serveraliveinterval 0
forwardagent no
setenv A=1=2
setenv B=x y
sendenv LC_*
sendenv LANG
"""


@pytest.fixture(autouse=True)
def _no_askpass(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({}, []),
        ({"config": False}, ["-F", "/dev/null"]),
        ({"user": "me", "port": 2222}, ["-l", "me", "-p", "2222"]),
        ({"settings": ["Port=1", "User me"]}, ["-o", "Port=1", "-o", "User me"]),
        ({"host_keys": "strict"}, ["-o", "StrictHostKeyChecking=yes"]),
        ({"host_keys": "accept-new"}, ["-o", "StrictHostKeyChecking=accept-new"]),
        (
            {"host_keys": "off"},
            ["-o", "StrictHostKeyChecking=no", *UNRECORDED],
        ),
        (
            {"known_hosts": ["/a b", "/c"]},
            ["-o", 'UserKnownHostsFile="/a b" "/c"', "-o", "GlobalKnownHostsFile=/dev/null"],
        ),
        ({"identity_files": ["/k"]}, ["-i", "/k", "-o", "IdentitiesOnly=no"]),
        (
            {"identity_files": ["/k"], "agent": False},
            ["-i", "/k", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"],
        ),
        ({"agent_forwarding": True}, ["-o", "ForwardAgent=yes"]),
        ({"agent_forwarding": False}, ["-o", "ForwardAgent=no"]),
        ({"keepalive": 0.4}, ["-o", "ServerAliveInterval=1"]),
        ({"keepalive": 0}, ["-o", "ServerAliveInterval=0"]),
        ({"jump": "me@b1:2,b2"}, ["-o", "ProxyJump=me@b1:2,b2"]),
        ({"jump": "none"}, ["-o", "ProxyJump=none"]),
    ],
)
def test_options(options: dict[str, Any], arguments: list[str]) -> None:
    """Each option has its argument, and what is not said has none."""
    assert common(SSHOptions(**options), WEB1, []) == arguments


def test_who_counts_first() -> None:
    """The caller's arguments come before ours; what is in the target before the options."""
    ssh = SSHOptions(user="me", port=1, config="/dev/null")
    assert common(ssh, Target("you", "web1", 2), ["-4"]) == ["-4", "-F", "/dev/null", "-l", "you", "-p", "2"]


def test_the_command_lines() -> None:
    """A host name comes after ``--``; the socket's name is not expanded; nobody can be asked."""
    assert query("/b/ssh", ["-4"], WEB1) == ["/b/ssh", "-4", "-G", "-T", "--", "web1"]
    made = master("ssh", ["-4"], WEB1, 15, "/t/0.log", "/t%/0")
    tail = ["ServerAliveInterval=15", "-E", "/t/0.log", "-S", "/t%%/0", "-N", "-T", "-x", "--", "web1"]
    assert made[-len(tail) :] == tail
    assert made[:3] == ["ssh", "-o", "LogLevel=DEBUG1"]
    assert made.index("BatchMode=yes") < made.index("-4")


@pytest.mark.parametrize(
    ("environ", "batch"),
    [
        ({}, True),
        ({"SSH_ASKPASS": "/a"}, True),
        ({"SSH_ASKPASS": "/a", "DISPLAY": ":0"}, False),
        ({"SSH_ASKPASS": "/a", "SSH_ASKPASS_REQUIRE": "force"}, False),
        ({"SSH_ASKPASS": "/a", "SSH_ASKPASS_REQUIRE": "never", "DISPLAY": ":0"}, True),
        ({"DISPLAY": ":0"}, True),
    ],
)
def test_who_may_be_asked(environ: dict[str, str], batch: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a program that asks, ssh must not try."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("BatchMode=yes" in master("ssh", [], WEB1, 15, "log", "socket")) is batch


def test_the_answer() -> None:
    """What the configuration says of a node."""
    found = read_query(SSHOptions(), ANSWER, {"LANG": "C", "LC_ALL": "de", "HOME": "/"})
    assert found.place == Place("10.0.0.1", 2222, "me", "one", "/k/1")
    assert (found.keepalive, found.forward_agent) == (15, False)
    assert found.environment == {"LANG": "C", "LC_ALL": "de", "A": "1=2", "B": "x y"}


@pytest.mark.parametrize(
    ("line", "keepalive", "seconds"),
    [
        ("serveraliveinterval 0", None, 15),
        ("serveraliveinterval 7", None, 7),
        ("serveraliveinterval 0", 0, 0),
    ],
)
def test_keepalive(line: str, keepalive: float | None, seconds: int) -> None:
    """Dead peers are found also where the configuration does not say so; a caller may say never."""
    text = f"hostname h\n{line}\n"
    assert read_query(SSHOptions(keepalive=keepalive), text, {}).keepalive == seconds


def test_agent_forwarding() -> None:
    """The configuration may want it, also by the path of an agent."""
    for value in ("yes", "/run/agent"):
        assert read_query(SSHOptions(), f"hostname h\nforwardagent {value}\n", {}).forward_agent


@pytest.mark.parametrize("text", ["", "usage: ssh\n"])
def test_no_answer(text: str) -> None:
    """Something else than ssh."""
    with pytest.raises(ValueError, match="no hostname"):
        read_query(SSHOptions(), text, {})


@pytest.mark.parametrize(
    "node", ["-x", "-oProxyCommand=x", "a;b", "a`b`", "$(x)", "-l@web1", "a\nb", "a$b@web1", "a\\b@web1"]
)
def test_names_that_are_none(node: str) -> None:
    """They would be options, or commands in the user's ProxyCommand."""
    with pytest.raises(ConnectionFailedError, match="no name can be like this"):
        target_of(node)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ssh_path": ""}, "ssh_path='': the path of a program"),
        ({"ssh_path": 3}, "ssh_path=3: the path of a program"),
        (
            {"ssh_options": "-4"},
            "ssh_options='-4': a list of arguments, as ['-o', 'GSSAPIAuthentication=yes']",
        ),
        ({"ssh_options": [4]}, "ssh_options=[4]: arguments are text without NUL"),
        ({"ssh_options": ["\0"]}, "ssh_options=['\\x00']: arguments are text without NUL"),
        (
            {"ssh": SSHOptions(ask_each=True)},
            "ask_each=: the system's ssh asks by itself, through SSH_ASKPASS",
        ),
        (
            {"ssh": SSHOptions(prompt=lambda question: None)},
            "prompt=: the system's ssh takes none from a program; use keys, an agent or SSH_ASKPASS",
        ),
    ],
)
def test_what_cannot_be_passed_on(settings: dict[str, Any], message: str) -> None:
    """It is refused at the call."""
    values = {"ssh": SSHOptions(), "ssh_path": Path("ssh"), "ssh_options": (), **settings}
    refused(UsageError, message, lambda: check_options(**values))
