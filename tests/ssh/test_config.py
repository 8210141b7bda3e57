"""Tests of asynctask.ssh.config; that values are those of OpenSSH is in test_config_openssh."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import HostSettings, SSHConfig, check_settings
from tests.ssh.configs import configured


def test_several_files(write: Path) -> None:
    """The first file is the most important one."""
    (write / "user").write_text("Host a\n Port 1\n")
    (write / "system").write_text("Port 2\nUser x\n")
    config = SSHConfig([write / "user", write / "system"])
    assert [config.lookup(host).get("port") for host in "ab"] == ["1", "2"]
    assert config.lookup("a").get("user") == "x"


def test_no_files() -> None:
    """Without files nothing is configured."""
    found = SSHConfig().lookup("a")
    assert (found.get("port"), found.get_all("identityfile"), found.name) == (None, (), "a")
    assert found.not_honoured == ()


def _settings(directory: Path, text: str) -> HostSettings:
    return configured(directory, text).lookup("a")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("yes", True), ("TRUE", True), ("on", True), ("host-bound", True), ("no", False), ("false", False)],
)
def test_flag(write: Path, value: str, expected: bool) -> None:
    """A yes or no, in the ways to write it."""
    found = _settings(write, f"PubkeyAuthentication {value}\n")
    assert found.flag("pubkeyauthentication", default=not expected) is expected


def test_flag_that_is_not_set(write: Path) -> None:
    """The default counts then."""
    found = _settings(write, "")
    assert [found.flag("compression", default=default) for default in (True, False)] == [True, False]


def test_flag_that_is_none(write: Path) -> None:
    """A value that makes no sense is no no: it names its file and line."""
    with pytest.raises(SSHConfigError) as raised:
        _settings(write, "\nPasswordAuthentication nope\n").flag("passwordauthentication", default=True)
    assert str(raised.value) == (
        f"SSH configuration {write / 'config'} line 2: passwordauthentication 'nope' is neither yes nor no"
    )


@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "22 33", "1.5", "99999999999999999999"])
def test_a_number_that_is_none(write: Path, value: str) -> None:
    """A value that is asked for and makes no sense names its file and line, too."""
    found = configured(write, f"Host a\n  Port '{value}'\n").lookup("a")
    with pytest.raises(SSHConfigError) as raised:
        found.number("port", 1, 65535)
    assert str(raised.value) == (
        f"SSH configuration {write / 'config'} line 2: port {value!r} is no number from 1 to 65535"
    )


@pytest.mark.parametrize("value", ["abc", "5x", "-1", "1.5", "m"])
def test_a_time_that_is_none(write: Path, value: str) -> None:
    """A time is told as OpenSSH writes it."""
    found = configured(write, f"ServerAliveInterval {value}\n").lookup("a")
    with pytest.raises(SSHConfigError) as raised:
        found.seconds("serveraliveinterval")
    assert str(raised.value) == (
        f"SSH configuration {write / 'config'} line 1: serveraliveinterval {value!r} is no time"
    )


@pytest.mark.parametrize(
    ("text", "jump", "command"),
    [
        ("ProxyJump bastion\nProxyCommand nc\n", "bastion", None),
        ("ProxyCommand ssh -W %h:%p 'bastion # x'\nProxyJump b\n", None, "ssh -W %h:%p 'bastion # x'"),
        ("ProxyJump none\nProxyCommand None\n", None, None),
        ("Host b\n ProxyJump bastion\n", None, None),
    ],
)
def test_the_way(write: Path, text: str, jump: str | None, command: str | None) -> None:
    """There is a jump host or a command or neither."""
    found = _settings(write, text)
    assert (found.unless_none("proxyjump"), found.unless_none("proxycommand")) == (jump, command)


def test_environment(write: Path) -> None:
    """Variables are sent by name and pattern; those that are set count more."""
    found = _settings(write, 'SendEnv LANG LC_* X?\nSetEnv LC_ALL=C EMPTY= SUM="1 + 1 = 2"\n')
    environ = {"LANG": "de", "LC_ALL": "de", "LC_CTYPE": "fr", "XY": "1", "XYZ": "2", "lang": "no"}
    assert found.environment(environ) == {
        "LANG": "de",
        "LC_ALL": "C",
        "LC_CTYPE": "fr",
        "XY": "1",
        "EMPTY": "",
        "SUM": "1 + 1 = 2",
    }


def test_environment_of_nobody(write: Path) -> None:
    """Nothing is sent unless that is configured, or when it was taken back."""
    found = _settings(write, "SendEnv LANG\nSendEnv -*\n")
    assert (found.environment({"LANG": "de"}), found.get("sendenv")) == ({}, None)
    assert _settings(write, "").environment({"LANG": "de"}) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("Port 22\nControlMaster auto\nLogLevel DEBUG\nForwardX11 yes\nTag x\n", ()),
        (
            "knownhostscommand /bin/x\nPort 22\nHOSTBASEDAUTHENTICATION yes\n",
            ("KnownHostsCommand", "HostbasedAuthentication"),
        ),
        ("KnownHostsCommand none\nHostbasedAuthentication no\nTunnel No\nCanonicalizeHostname no\n", ()),
        ("CanonicalizeHostname yes\nLocalForward 80 x:80\n", ("CanonicalizeHostname", "LocalForward")),
        ("SmartcardDevice /lib/x.so\n", ("PKCS11Provider",)),
        ("GSSAPIAuthentication yes\n", ("GSSAPIAuthentication",)),
        ("Host b\n RemoteCommand x\n", ()),
        ("Host a\n RemoteCommand x\nHost *\n RemoteCommand none\n", ("RemoteCommand",)),
        ("UseKeychain yes\nPort 22\n", ("UseKeychain",)),
        ("IgnoreUnknown UseKey*,foo\nUseKeychain yes\nFoo x\nBar y z\n", ("Bar",)),
        ("UseKeychain yes\nIgnoreUnknown UseKey*\n", ("UseKeychain",)),
        ("IgnoreUnknown *\nTunnel yes\nMatch exec true\n", ("Tunnel", "Match exec")),
    ],
)
def test_what_is_not_honoured(write: Path, text: str, expected: tuple[str, ...]) -> None:
    """What matters and has no effect is known by name, in order, for the hosts that it is set for."""
    assert _settings(write, text).not_honoured == expected


def test_where_something_stands(write: Path) -> None:
    """A keyword has a place, in either spelling."""
    found = _settings(write, "Tunnel yes\nUseKeychain x\nMatch host a exec true\n")
    places = [found.place_of(name) for name in ("Tunnel", "tunnel", "UseKeychain", "Match exec", "Port")]
    config = write / "config"
    assert places == [f"{config} line {line}" for line in (1, 1, 2, 3)] + [None]


@pytest.fixture
def big(write: Path) -> SSHConfig:
    """A configuration with a block for each node of a large cluster."""
    blocks = (f"Host node{n}\n  HostName 10.0.{n // 250}.{n % 250}\n" for n in range(3000))
    return configured(write, "".join(blocks) + "Host *\n  User x\n")


async def test_thousands_of_hosts(big: SSHConfig) -> None:
    """It is asked for one node after the other without blocking the loop."""
    for n in range(0, 3000, 10):
        found = big.lookup(f"node{n}")
        assert (found.get("hostname"), found.get("user")) == (f"10.0.{n // 250}.{n % 250}", "x")
        if n % 100 == 0:
            await asyncio.sleep(0)


def test_settings_count_before_the_files(write: Path) -> None:
    """The first value wins; what adds up adds up; a jump host has the files alone."""
    path = write / "config"
    path.write_text("Host *\n  Port 1\n  IdentityFile file\n  User me\n")
    config = SSHConfig([path], ["Port=2", "IdentityFile=given"])

    node, bastion = config.lookup("a"), config.lookup("a", on_the_way=True)

    assert [found.get("port") for found in (node, bastion)] == ["2", "1"]
    assert [found.get_all("identityfile") for found in (node, bastion)] == [("given", "file"), ("file",)]
    assert node.get("user") == "me"
    assert node.place_of("port") == "settings line 1"


def test_a_final_pass_has_the_settings(write: Path) -> None:
    """They count before what Match final has, too."""
    path = write / "config"
    path.write_text("Match final host real\n  Port 1\n  User me\n")
    found = SSHConfig([path], ["Port=2", "HostName=real"]).lookup("a")
    assert (found.get("port"), found.get("user")) == ("2", "me")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("ServerAliveInterval=x", "serveraliveinterval 'x' is no time"),
        ("ServerAliveCountMax=x", "serveralivecountmax 'x' is no number from 0 to 2147483647"),
        ("IdentitiesOnly=perhaps", "identitiesonly 'perhaps' is neither yes nor no"),
        ("ProxyJump=a b", "ProxyJump: target 'a b': a blank or control character in it; remove it"),
    ],
)
def test_settings_that_can_never_work(line: str, message: str) -> None:
    """They are refused before there is a host to ask for."""
    with pytest.raises(SSHConfigError) as raised:
        check_settings(["Port=22", line])
    assert str(raised.value).removeprefix("SSH configuration settings line 2: ") == message
