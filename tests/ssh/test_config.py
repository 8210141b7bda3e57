"""Tests of asynctask.ssh.config: the real ``ssh -G`` says what is right."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import SSHConfig, expand_tokens, expand_user, standard_tokens
from tests.testing.clients import needs_ssh

HOME = pwd.getpwuid(os.getuid()).pw_dir
ME = pwd.getpwuid(os.getuid()).pw_name
STRICT = {"yes": "true", "no": "false", "off": "false"}
LISTS = ("identityfile",)
Seen = dict[str, str | list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """A directory for configuration files."""
    directory = tmp_path / "config"
    directory.mkdir()
    return directory


def _config(directory: Path, text: str) -> SSHConfig:
    path = directory / "config"
    path.write_text(text)
    return SSHConfig([path])


def _expanded(path: str, seen: Seen, host: str) -> str:
    tokens = standard_tokens(host, str(seen["hostname"]), int(str(seen["port"])), str(seen["user"]), ME)
    return expand_tokens(path.replace("~/", f"{HOME}/"), {**tokens, "d": HOME})


def _says_ssh(path: Path, host: str, *options: str) -> Seen:
    """What the real ssh makes of a configuration."""
    ssh = shutil.which("ssh")
    assert ssh is not None
    shown = subprocess.run([ssh, "-F", path, *options, "-G", host], capture_output=True, check=True)
    seen: Seen = {"identityfile": [], "hostkeyalias": ""}
    for line in shown.stdout.decode(errors="surrogateescape").split("\n"):
        keyword, _, value = line.partition(" ")
        if keyword == "identityfile":
            assert isinstance(seen["identityfile"], list)
            seen["identityfile"].append(value)
        elif keyword in WANTED:
            seen[keyword] = value
    seen["stricthostkeychecking"] = STRICT.get(
        str(seen["stricthostkeychecking"]), seen["stricthostkeychecking"]
    )
    files = seen["identityfile"]
    assert isinstance(files, list)
    if all(file.startswith("~/.ssh/id_") for file in files):
        files.clear()  # its defaults, which other modules know
    seen["identityfile"] = [_expanded(file, seen, host) for file in files]
    return seen


WANTED = {
    "hostname",
    "user",
    "port",
    "userknownhostsfile",
    "hostkeyalias",
    "serveraliveinterval",
    "stricthostkeychecking",
}


def _we_say(path: Path, host: str, user: str | None = None) -> Seen:
    """The same, as we understand it, with OpenSSH's defaults."""
    found = SSHConfig([path]).lookup(host, user)
    strict = found.get("stricthostkeychecking") or "ask"
    seen: Seen = {
        "hostname": (found.get("hostname") or host).lower(),
        "user": user or found.get("user") or ME,
        "port": str(found.number("port", 1, 65535) or 22),
        "hostkeyalias": (found.get("hostkeyalias") or "").lower(),
        "serveraliveinterval": str(found.seconds("serveraliveinterval") or 0),
        "stricthostkeychecking": STRICT.get(strict, strict),
    }
    known_hosts = found.get_all("userknownhostsfile") or ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"]
    seen["userknownhostsfile"] = " ".join(_expanded(file, seen, host) for file in known_hosts)
    seen["identityfile"] = [_expanded(file, seen, host) for file in found.get_all("identityfile")]
    return seen


_NAMED = "Host a\n HostName x.example\n User bob\n Port 77\nHost *\n"
_TOKENS = "/k/%h/%n/%r/%p/%u/%%/%d"

SAME = {
    "empty": ("", ["a"]),
    "a value for all": ("Port 2222\nUser bob\n", ["a"]),
    "the first value wins": ("Host a\n Port 1\nHost *\n Port 2\n User x\nHost a\n User y\n", ["a", "b"]),
    "several patterns": ("Host a b c\n Port 5\n", ["a", "b", "c", "d"]),
    "wildcards": ("Host a? b*\n Port 5\n", ["a", "a1", "a12", "b", "bcd", "xb"]),
    "excluded": ("Host * !a\n Port 5\nHost !b\n Port 6\nHost ? !c\n User u\n", ["a", "b", "c", "dd"]),
    "excluded by a wildcard": ("Host web* !web?\n Port 5\n", ["web", "web1", "web12"]),
    "brackets are no wildcard": ("Host a[1-3]\n Port 5\n", ["a1", "a2"]),
    "Host tells upper from lower case": ("Host WEB\n Port 5\nHost web\n Port 6\n", ["web", "WEB", "Web"]),
    "a name is not looked for in lower case": ("Host other\n Port 7\n", ["Other"]),
    "Host in several places": ("Host a\n Port 5\nHost b\n Port 6\nHost a\n User x\n", ["a", "b"]),
    "keywords in any case": ("hOST a\n pORT 5\n USER x\n", ["a"]),
    "an equals sign": ("Port=2222\nUser = bob\nHostName= foo\nIdentityFile =/x\n", ["a"]),
    "an equals sign after Host": ("Host=a\nPort\t=\t5\n", ["a", "b"]),
    "tabs and spaces": ("\tHost\ta\n\t\tPort \t 5\t \n", ["a"]),
    "line ends of another system": ("Host a\r\n  Port 5\r\n  User x\r\n", ["a"]),
    "only line feeds end lines": ("User a\x85b\nPort 5\n", ["a"]),
    "comments": ("# one\n  # two\nPort 5 # three\nUser x#y\n", ["a"]),
    "a comment after Host": ("Host a # b\n Port 5\n", ["a", "b"]),
    "a quoted number sign": ('User "x #y" # z\n', ["a"]),
    "quotes": ('User "a b"\nHost "a" b\n Port 5\n', ["a", "b"]),
    "single quotes": ("User 'a \"b'\nIdentityFile '/x y/z'\n", ["a"]),
    "quotes within a word": ('User a"b c"d\n', ["a"]),
    "a quoted keyword": ('"Port" 5\n', ["a"]),
    "escaped quotes": ('User a\\"b\nHostKeyAlias x\\\\y\n', ["a"]),
    "an escaped space": ("IdentityFile /tmp/a\\ b\n", ["a"]),
    "a backslash that escapes nothing": ("User a\\b\n", ["a"]),
    "HostName": ("Host a\n HostName x.example\n", ["a", "b"]),
    "HostName with %h": ("HostName %h.example\n", ["a", "web7"]),
    "HostName with %%": ("HostName %%h-%h\n", ["a"]),
    "HostName is not Host": ("Host a\n HostName x\nHost x\n Port 5\n", ["a", "x"]),
    "HostKeyAlias": ("HostKeyAlias FooBar\n", ["a"]),
    "IdentityFile adds up": (
        "IdentityFile /x\nHost a\n IdentityFile /y\nHost *\n IdentityFile /x\n IdentityFile /z\n",
        ["a", "b"],
    ),
    "IdentityFile none": ("IdentityFile none\n", ["a"]),
    "known hosts in several files": ('UserKnownHostsFile "/a b/c" /d ~/e\n', ["a"]),
    "known hosts in none": ("UserKnownHostsFile none\n", ["a"]),
    **{
        f"StrictHostKeyChecking {value}": (f"StrictHostKeyChecking {value}\n", ["a"])
        for value in ("yes", "no", "off", "ask", "accept-new")
    },
    **{
        f"ServerAliveInterval {value}": (f"ServerAliveInterval {value}\n", ["a"])
        for value in ("0", "90", "1m", "1h30m", "1W2d3H4m5s", "none")
    },
    "tokens": (f"{_NAMED}IdentityFile {_TOKENS}\nUserKnownHostsFile {_TOKENS}\n", ["a", "b"]),
    "Match all": ("Match all\n Port 5\n", ["a"]),
    "Match not all": ("Match !all\n Port 5\n", ["a"]),
    "Match host": ("Match host a,b,!c*\n Port 5\nMatch host *,!d\n Port 6\n", ["a", "b", "c", "d"]),
    "Match host in any case": ("Match host WEB\n Port 5\n", ["web", "WEB"]),
    "Match host sees HostName": (
        "Host a\n HostName x\nMatch host x\n Port 5\nMatch host a\n User u\n",
        ["a", "x"],
    ),
    "Match originalhost": ("Host a\n HostName x\nMatch originalhost A\n Port 5\n", ["a", "x"]),
    "Match user": ("Match user bob\n Port 5\nMatch user *\n Port 6\n", ["a"]),
    "Match user sees User": ("User bob\nMatch user bob\n Port 5\n", ["a"]),
    "Match user tells upper from lower case": ("User bob\nMatch user Bob\n Port 5\n", ["a"]),
    "Match localuser": (f"Match localuser x,{ME}\n Port 5\nMatch localuser x\n User y\n", ["a"]),
    "Match with several criteria": (
        f"User bob\nMatch host a* user bob localuser {ME}\n Port 5\nMatch host a* user tom\n User x\n",
        ["a", "ab", "b"],
    ),
    "Match with a negation": ("Match !host a,b\n Port 5\nMatch host b !user tom\n Port 6\n", ["a", "b", "c"]),
    "Match with quotes": ('Match host "x,a"\n Port 7\n', ["a", "b"]),
    "Match with a comment": ("Match host a # host b\n Port 7\n", ["a", "b"]),
    "Match canonical": ("Match canonical\n Port 5\nMatch !canonical all\n User u\n", ["a"]),
    "Match final": ("Match final host a\n Port 5\nMatch final all\n User u\nHost *\n Port 6\n", ["a", "b"]),
    "Match not final": ("Match !final all\n Port 7\nMatch final all\n User x\nMatch all\n Port 8\n", ["a"]),
    "after Match final HostName is the host": (
        "Host a\n HostName %h.example\nHost a.example\n Port 5\nMatch final host a.*\n User u\n",
        ["a", "b"],
    ),
    "Host after Match": ("Match user nobody\n Port 5\nHost a\n Port 6\n", ["a", "b"]),
    "a test is asked once": ("Match host a\n HostName b\n Port 5\n User u\n", ["a", "b"]),
    "unknown values": ("Compression yes\nForwardX11 no\nLogLevel DEBUG3\nPort 5\n", ["a"]),
}


@needs_ssh
@pytest.mark.parametrize(("text", "hosts"), SAME.values(), ids=SAME)
def test_as_ssh(write: Path, text: str, hosts: list[str]) -> None:
    """A configuration means what it means to OpenSSH."""
    path = write / "config"
    path.write_text(text)
    assert {host: _we_say(path, host) for host in hosts} == {host: _says_ssh(path, host) for host in hosts}


INCLUDES = {
    "in the middle": "Port 1\nInclude {0}/one\nUser after\n",
    "within Host": "Host b\n Include {0}/one\n User after\nHost *\n Port 9\n",
    "its Host ends with it": "Host a\n Include {0}/hosts\n Port 5\nHost *\n Port 6\n",
    "in a Match that it would undo": "Match host a\n Include {0}/rename\n Port 7\nMatch host bar\n User u\n",
    "in a Match user that it would undo": "Match user {1}\n Include {0}/user\n Port 78\n",
    "a pattern, in the order of names": "Include {0}/d/*\n",
    "some of several": "Include {0}/d/*.conf\n",
    "several": "Include {0}/hosts {0}/one\n",
    "nothing there": "Include {0}/nope {0}/nope/*\nPort 5\n",
    "quoted": 'Include "{0}/with space/one"\n',
    "nested": "Include {0}/nested\n",
    "the same twice": "Include {0}/one\nInclude {0}/one\n",
    "not for this host": "Host x\n Include {0}/d/*\n",
}


@needs_ssh
@pytest.mark.parametrize("text", INCLUDES.values(), ids=INCLUDES)
def test_include_as_ssh(write: Path, text: str) -> None:
    """Include works anywhere, as in OpenSSH; directories and hidden files are left out."""
    (write / "with space").mkdir()
    (write / "d" / "sub").mkdir(parents=True)
    for name, content in {
        "one": "User one\nIdentityFile /one\n",
        "with space/one": "User one\n",
        "hosts": "Host a\n User ina\nHost b\n User inb\n",
        "rename": "HostName bar\nHost *\n User incuser\n",
        "user": "User other\nHost *\n Port 79\n",
        "nested": f"Host b\nInclude {write}/hosts\nHost *\nInclude {write}/one\n",
        "d/20-b": "User twenty\nPort 20\n",
        "d/10-a.conf": "User ten\n",
        "d/.hidden": "Port 31\n",
    }.items():
        (write / name).write_text(content)
    path = write / "config"
    path.write_text(text.format(write, ME))
    assert {host: _we_say(path, host) for host in "ab"} == {host: _says_ssh(path, host) for host in "ab"}


@needs_ssh
def test_user_of_the_caller_as_ssh(write: Path) -> None:
    """A user named by the caller wins, and Match sees it."""
    path = write / "config"
    path.write_text("User bob\nMatch user tom\n Port 5\nMatch user bob\n Port 6\n")
    assert _we_say(path, "a", "tom") == _says_ssh(path, "a", "-l", "tom")


@needs_ssh
def test_local_user_as_ssh(write: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the program is what the system says, not what the environment says."""
    monkeypatch.setenv("LOGNAME", "liar")
    monkeypatch.setenv("USER", "liar")
    path = write / "config"
    path.write_text(f"Match localuser {ME}\n Port 5\n")
    assert _we_say(path, "a") == _says_ssh(path, "a")


_NAMES = st.sampled_from(["a", "b", "ab", "A", "x.example", "a.example"])
_PATTERN = st.sampled_from(
    ["a", "b", "ab", "A", "a*", "?", "*", "!a", "!b", "!a*", "*.example", "!*.example"]
)
_USER = st.sampled_from(["u1", "u2", "u*", "!u1", ME, "*"])
_WORDS = st.lists(_PATTERN, min_size=1, max_size=3)
_CRITERION = st.one_of(
    st.builds("{}{} {}".format, st.sampled_from(["", "!"]), st.just("host"), _WORDS.map(",".join)),
    st.builds("{}{} {}".format, st.sampled_from(["", "!"]), st.just("originalhost"), _WORDS.map(",".join)),
    st.builds(
        "{}user {}".format, st.sampled_from(["", "!"]), st.lists(_USER, min_size=1, max_size=2).map(",".join)
    ),
    st.builds("localuser {}".format, _USER),
    st.sampled_from(["final", "!final", "canonical", "!canonical"]),
)
_LINE = st.one_of(
    st.builds("Host {}".format, _WORDS.map(" ".join)),
    st.builds("Match {}".format, st.lists(_CRITERION, min_size=1, max_size=3).map(" ".join)),
    st.builds(" Port {}".format, st.integers(1, 9)),
    st.builds(" User {}".format, st.sampled_from(["u1", "u2"])),
    st.builds(" HostName {}".format, st.sampled_from(["a", "b", "%h.example", "x.example"])),
    st.builds(" IdentityFile {}".format, st.sampled_from(["/i/1", "/i/%h", "/i/%n", "/i/%r"])),
    st.just("Include {0}/part"),
)


@needs_ssh
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(_LINE, max_size=12), part=st.lists(_LINE, max_size=5), host=_NAMES)
def test_any_configuration_as_ssh(write: Path, lines: list[str], part: list[str], host: str) -> None:
    """Whatever stands in what order, it means what it means to OpenSSH."""
    (write / "part").write_text("\n".join(line for line in part if not line.startswith("Include")) + "\n")
    path = write / "config"
    path.write_text("\n".join(lines).format(write) + "\n")
    assert _we_say(path, host) == _says_ssh(path, host)


# -- what OpenSSH cannot tell us ----------------------------------------------------------------


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
    assert (found.get("port"), found.get_all("identityfile"), found.name) == (None, [], "a")


def test_flag(write: Path) -> None:
    """A yes or no has a default."""
    found = _config(write, "IdentitiesOnly yes\nBatchMode no\n").lookup("a")
    assert [found.flag(name, default=True) for name in ("identitiesonly", "batchmode", "other")] == [
        True,
        False,
        True,
    ]


def test_nobodys_home(write: Path) -> None:
    """The home of a user that does not exist has no files, and a name with it stays as it is."""
    assert _config(write, "Include ~no-such-user/x\nPort 5\n").lookup("a").get("port") == "5"
    assert expand_user("~no-such-user/x") == Path("~no-such-user/x")


def test_files_in_ssh_are_included_by_name(write: Path, home: Path) -> None:
    """A relative name is looked for in ``~/.ssh``."""
    (home / ".ssh" / "more").write_text("Port 5\n")
    assert _config(write, "Include more\n").lookup("a").get("port") == "5"


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
        ("Port 5\nUser a\0b\n", "{} line 2: a NUL character"),
    ],
)
def test_a_line_that_makes_no_sense(write: Path, text: str, message: str) -> None:
    """The error names the file and the line."""
    with pytest.raises(SSHConfigError) as raised:
        _config(write, text)
    assert str(raised.value) == "SSH configuration " + message.format(write / "config")


@pytest.mark.parametrize("value", ["abc", "0", "65536", "-1", "22 33", "2 2", "1.5", "99999999999999999999"])
def test_a_number_that_is_none(write: Path, value: str) -> None:
    """A value that is asked for and makes no sense names its file and line, too."""
    found = _config(write, f"Host a\n  Port {value}\n").lookup("a")
    with pytest.raises(SSHConfigError) as raised:
        found.number("port", 1, 65535)
    assert str(raised.value) == (
        f"SSH configuration {write / 'config'} line 2: port {value!r} is no number from 1 to 65535"
    )


@pytest.mark.parametrize("value", ["abc", "5x", "-1", "1.5", "m", "5 m"])
def test_a_time_that_is_none(write: Path, value: str) -> None:
    """A time is told as OpenSSH writes it."""
    found = _config(write, f"ServerAliveInterval {value}\n").lookup("a")
    with pytest.raises(SSHConfigError) as raised:
        found.seconds("serveraliveinterval")
    assert str(raised.value) == (
        f"SSH configuration {write / 'config'} line 1: serveraliveinterval {value!r} is no time"
    )


def test_an_error_in_an_included_file_names_that_file(write: Path) -> None:
    """The line is counted in the file that it is in."""
    (write / "part").write_text("Port 5\nUser\n")
    with pytest.raises(SSHConfigError) as raised:
        _config(write, f"\n\n\nInclude {write}/part\n")
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
        _config(write, f"Port 5\nInclude {path}\nInclude {path}\n")
    assert str(raised.value) == f"SSH configuration {path} line 2: Include goes deeper than 16 files"


def test_match_exec_is_not_run(write: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its block is skipped, and a warning says so."""
    marker = write / "marker"
    with caplog.at_level(logging.WARNING):
        config = _config(write, f'Match exec "touch {marker}"\n Port 5\nMatch !exec true\n Port 6\n')
    assert config.lookup("a").get("port") is None
    assert not marker.exists()
    assert [record.getMessage() for record in caplog.records] == [
        f"SSH configuration {write / 'config'} line {line}: Match exec is not supported; its block is skipped"
        for line in (1, 3)
    ]


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("ProxyJump bastion\n", "proxyjump"),
        ("ProxyCommand ssh -W %h:%p 'bastion # x'\n", "proxycommand"),
        ("ProxyJump none\nProxyCommand none\n", None),
        ("Host b\n ProxyJump bastion\n", None),
        ("", None),
    ],
)
def test_what_cannot_be_honoured(write: Path, text: str, keyword: str | None) -> None:
    """A way that cannot be gone is known."""
    assert _config(write, text).lookup("a").cannot_honour == keyword


def test_the_rest_of_a_command_is_kept(write: Path) -> None:
    """A command is one value, with its quotes and number signs."""
    found = _config(write, "ProxyCommand nc '%h' \"%p\" # x\n").lookup("a")
    assert found.get("proxycommand") == "nc '%h' \"%p\" # x"


def test_bytes_that_are_no_text(write: Path) -> None:
    """A file name need not be text."""
    path = write / "config"
    path.write_bytes(b"IdentityFile /k/\xff\xe4\n# \xfe\n")
    value = SSHConfig([path]).lookup("a").get("identityfile")
    assert value is not None
    assert os.fsencode(value) == b"/k/\xff\xe4"


def test_tokens() -> None:
    """Tokens are replaced once; an unknown one stays."""
    assert expand_tokens("%h %%h %x %p%", {"h": "%p", "p": "22"}) == "%p %h %x 22%"


@pytest.fixture
def big(write: Path) -> SSHConfig:
    """A configuration with a block for each node of a large cluster."""
    blocks = (f"Host node{n}\n  HostName 10.0.{n // 250}.{n % 250}\n" for n in range(3000))
    return _config(write, "".join(blocks) + "Host *\n  User x\n")


async def test_thousands_of_hosts(big: SSHConfig) -> None:
    """It is asked for one node after the other without blocking the loop."""
    for n in range(0, 3000, 10):
        found = big.lookup(f"node{n}")
        assert (found.get("hostname"), found.get("user")) == (f"10.0.{n // 250}.{n % 250}", "x")
        if n % 100 == 0:
            await asyncio.sleep(0)
