"""The configuration means what it means to OpenSSH: compared with the real ``ssh -G``, keyword by keyword."""

from __future__ import annotations

import fnmatch
import functools
import itertools
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asynctask.errors import SSHConfigError
from asynctask.ssh.config import HostSettings, SSHConfig, expand_tokens, standard_tokens
from asynctask.ssh.targets import parse_jumps
from tests.testing.clients import needs_ssh

HOME = pwd.getpwuid(os.getuid()).pw_dir
ME = pwd.getpwuid(os.getuid()).pw_name

FLAGS = frozenset(
    {
        "compression",
        "hashknownhosts",
        "identitiesonly",
        "kbdinteractiveauthentication",
        "passwordauthentication",
        "pubkeyauthentication",
    }
)
NUMBERS = frozenset({"connectionattempts", "port", "serveralivecountmax"})
TIMES = frozenset({"connecttimeout", "serveraliveinterval"})
ALGORITHMS = frozenset({"ciphers", "hostkeyalgorithms", "kexalgorithms", "macs", "pubkeyacceptedalgorithms"})
TEXTS = frozenset(
    {
        "addressfamily",
        "bindaddress",
        "forwardagent",
        "hostkeyalias",
        "hostname",
        "identityagent",
        "preferredauthentications",
        "proxycommand",
        "proxyjump",
        "stricthostkeychecking",
        "user",
    }
)
FILES = frozenset({"certificatefile", "globalknownhostsfile", "identityfile", "userknownhostsfile"})
LISTS = frozenset({"sendenv", "setenv"})
ALL = FLAGS | NUMBERS | TIMES | ALGORITHMS | TEXTS | FILES | LISTS

#: The values of each keyword.
Seen: TypeAlias = dict[str, list[str]]
SAME_AS = {"true": "yes", "false": "no", "off": "no", "on": "yes"}


# -- what ssh says ----------------------------------------------------------------------------


def _says_ssh(path: Path | str, hosts: list[str], *options: str) -> dict[str, Seen]:
    """What the real ssh makes of a configuration for each host; one shell starts it for all."""
    ssh = shutil.which("ssh")
    assert ssh is not None
    loop = 'for host; do "$SSH" -F "$CONFIG" $OPTIONS -G "$host" || exit; echo; done'
    environ = {**os.environ, "SSH": ssh, "CONFIG": str(path), "OPTIONS": " ".join(options)}
    shown = subprocess.run(["sh", "-c", loop, "sh", *hosts], capture_output=True, check=True, env=environ)
    parts = shown.stdout.decode(errors="surrogateescape").split("\n\n")
    return {host: _read_output(host, part) for host, part in zip(hosts, parts[:-1], strict=True)}


def _read_output(host: str, output: str) -> Seen:
    seen: Seen = {}
    for line in output.split("\n"):
        keyword, _, value = line.partition(" ")
        if keyword in ALL and value != "none":
            seen.setdefault(keyword, []).append(SAME_AS.get(value, value))
    if all(file.startswith("~/.ssh/id_") for file in seen.get("identityfile", ())):
        seen.pop("identityfile", None)  # its defaults, which other modules know
    return _comparable(host, seen)


@functools.cache
def _default(keyword: str) -> str:
    return " ".join(_says_ssh("/dev/null", ["x"])["x"].get(keyword, ()))


# -- what we say ------------------------------------------------------------------------------


def _we_say(
    path: Path, hosts: list[str], user: str | None = None, given_first: Sequence[str] = ()
) -> dict[str, Seen]:
    """The same, as we understand it, with OpenSSH's defaults."""
    config = SSHConfig([path], given_first)
    found = {}
    for host in hosts:
        settings = config.lookup(host, user)
        seen = {keyword: _value(settings, keyword) for keyword in ALL - FILES - LISTS}
        seen["hostname"] = (settings.get("hostname") or host).lower()
        seen["user"] = user or settings.get("user") or ME
        given = {keyword: [value] for keyword, value in seen.items() if value is not None and value != ""}
        for keyword in FILES | LISTS:
            given[keyword] = [value for value in settings.get_all(keyword) if value != "none"]
        for keyword in ("globalknownhostsfile", "userknownhostsfile"):
            names = settings.get_all(keyword)
            given[keyword] = [name for name in [" ".join(names) or _default(keyword)] if name != "none"]
        found[host] = _comparable(host, {keyword: values for keyword, values in given.items() if values})
    return found


def _value(settings: HostSettings, keyword: str) -> str | None:
    text = settings.unless_none(keyword)
    if keyword in TIMES:
        seconds = settings.seconds(keyword)
        return _default(keyword) if seconds is None else str(seconds)
    if text is None:
        return _default(keyword)
    if keyword in FLAGS:
        given = text.lower()
        assert settings.flag(keyword, default=False) is (SAME_AS.get(given, given) != "no")
    elif keyword in NUMBERS:
        text = str(settings.number(keyword))
    elif keyword in ALGORITHMS:
        text = _assembled(text, _default(keyword))
    return SAME_AS.get(text.lower(), text)


def _assembled(text: str, default: str) -> str:
    """A list of algorithms with ``+``, ``-`` or ``^`` before it."""
    sign, names, usual = text[0], text[1:].split(","), default.split(",")
    if sign == "+":
        return ",".join([*usual, *(name for name in names if name not in usual)])
    if sign == "-":
        kept = [name for name in usual if not any(fnmatch.fnmatch(name, pattern) for pattern in names)]
        return ",".join(kept)
    if sign == "^":
        return ",".join([*names, *(name for name in usual if name not in names)])
    return text


def _comparable(host: str, seen: Seen) -> Seen:
    """With tokens and homes expanded, which ssh does for some keywords alone; jump hosts taken apart."""
    about = (seen["hostname"][0], int(seen["port"][0]), seen["user"][0])
    tokens = {**standard_tokens(host, *about, ME), "d": HOME, "C": "?"}
    if seen.get("connecttimeout") == ["0"]:
        del seen["connecttimeout"]
    for keyword in (FILES | {"forwardagent", "identityagent"}) & seen.keys():
        seen[keyword] = [expand_tokens(name.replace("~/", f"{HOME}/"), tokens) for name in seen[keyword]]
    if "hostkeyalias" in seen:
        seen["hostkeyalias"] = [seen["hostkeyalias"][0].lower()]
    if "proxyjump" in seen:
        seen["proxyjump"] = [str(jump) for jump in parse_jumps(seen["proxyjump"][0])]
    return seen


# -- by hand ----------------------------------------------------------------------------------

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
    "Match with a failing criterion before final": (
        "Host a\n HostName b\nMatch host zzz final\nHost b\n Port 5\n",
        ["a", "b"],
    ),
    "Match host and all": ("Match host a all\n Port 5\n", ["a", "b"]),
    "SetEnv of the first line": ('SetEnv A=1 B="x y" A=3\nSetEnv C=3\n', ["a"]),
    "SetEnv in blocks": ("Host a\n SetEnv A=1\nHost *\n SetEnv B=2\n", ["a", "b"]),
    "SendEnv adds up": ("SendEnv A B\nHost a\n SendEnv C\nHost *\n SendEnv D LC_*\n", ["a", "b"]),
    "SendEnv takes back": ("SendEnv A B AB\nSendEnv C -A* -X\nSendEnv -D E\n", ["a"]),
    "SendEnv takes all back": ("SendEnv A\nSendEnv -*\n", ["a"]),
    "CertificateFile adds up": (
        "CertificateFile /x\nHost a\n CertificateFile /y/%h\n CertificateFile /x\n",
        ["a"],
    ),
    "GlobalKnownHostsFile": ("GlobalKnownHostsFile /x /y\nGlobalKnownHostsFile /z\n", ["a"]),
    "HostKeyAlias has no tokens": ("HostKeyAlias %h\n", ["a"]),
    "IdentityAgent": ("Host a\n IdentityAgent none\nHost b\n IdentityAgent $SOCK\n", ["a", "b", "c"]),
    "ConnectTimeout": ("Host a\n ConnectTimeout 1m30\nHost b\n ConnectTimeout none\n", ["a", "b", "c"]),
    "numbers": ("ConnectionAttempts 3\nServerAliveCountMax 7\n", ["a"]),
    **{
        f"ProxyJump {value}": (f"ProxyJump {value}\n", ["a"])
        for value in (
            "b",
            "u@b:2222",
            "b,c@d,e:3",
            "none",
            "NONE",
            "[::1]:22",
            "u@[::1]",
            "a@b@c:3",
            "d\\u@h",
            "ssh://u%40x@h:44",
            "b  # a comment",
            "= b",
        )
    },
    "ProxyCommand": ("ProxyCommand nc '%h' \"%p\" # x\n", ["a"]),
    "ProxyCommand after equals signs": ("ProxyCommand = = nc\n", ["a"]),
    **{
        f"the first of {' and '.join(lines)}": ("".join(f"{line}\n" for line in lines), ["a"])
        for lines in itertools.permutations(
            ("ProxyJump none", "ProxyJump b", "ProxyCommand none", "ProxyCommand nc"), 3
        )
    },
    "old names": (
        "PubkeyAcceptedKeyTypes +ssh-rsa\nChallengeResponseAuthentication no\nIdentityFile2 /x\nCipher x\n",
        ["a"],
    ),
    "PubkeyAuthentication unbound": ("PubkeyAuthentication unbound\n", ["a"]),
    "ForwardAgent to a socket": ("Host a\n ForwardAgent /x/%h\nHost b\n ForwardAgent $X\n", ["a", "b", "c"]),
    "IgnoreUnknown": ("IgnoreUnknown Non*,x\nNonsense a b\nX y\nPort 5\n", ["a"]),
    "unknown values": ("Compression yes\nForwardX11 no\nLogLevel DEBUG3\nPort 5\n", ["a"]),
}


@needs_ssh
@pytest.mark.parametrize(("text", "hosts"), SAME.values(), ids=SAME)
def test_as_ssh(write: Path, text: str, hosts: list[str]) -> None:
    """A configuration means what it means to OpenSSH."""
    path = write / "config"
    path.write_text(text)
    assert _we_say(path, hosts) == _says_ssh(path, hosts)


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
    """Include works anywhere, as in OpenSSH; directories, hidden files and dangling links are left out."""
    (write / "with space").mkdir()
    (write / "d" / "sub").mkdir(parents=True)
    (write / "d" / "30-gone.conf").symlink_to(write / "gone")
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
    assert _we_say(path, ["a", "b"]) == _says_ssh(path, ["a", "b"])


ONE_EACH = {
    "addressfamily": ["inet", "inet6", "any"],
    "bindaddress": ["127.0.0.1", "127.0.0.2"],
    "certificatefile": ["/c/%h", "~/c", "/c/%%"],
    "ciphers": ["+aes128-cbc", "-aes*", "^aes256-ctr,aes128-ctr", "aes128-ctr,aes256-ctr"],
    "compression": ["yes", "no"],
    "connectionattempts": ["2", "9"],
    "connecttimeout": ["5", "1m", "none"],
    "forwardagent": ["yes", "no", "/agent"],
    "globalknownhostsfile": ["/g", "/g /h"],
    "hashknownhosts": ["yes", "no"],
    "hostkeyalgorithms": ["+ssh-rsa", "-ssh-ed25519*", "^rsa-sha2-256", "ssh-ed25519"],
    "hostkeyalias": ["alias", "other"],
    "hostname": ["a", "b", "%h.example", "x.example", "10.0.0.%h"],
    "identitiesonly": ["yes", "no"],
    "identityagent": ["none", "/a/%h", "SSH_AUTH_SOCK"],
    "identityfile": ["/i/1", "/i/%h", "/i/%n", "~/i/%r", "/i/%p%u%i%L%l%k", "none"],
    "kbdinteractiveauthentication": ["yes", "no"],
    "kexalgorithms": ["+diffie-hellman-group1-sha1", "-*sha1,diffie*", "^ecdh-sha2-nistp256"],
    "macs": ["+hmac-md5", "-umac*", "^hmac-sha2-256", "hmac-sha2-512"],
    "passwordauthentication": ["yes", "no"],
    "port": ["1", "22", "2222"],
    "preferredauthentications": ["publickey", "password,publickey"],
    "proxycommand": ["nc %h %p", "none", "ssh -W %h:%p '%r'@b"],
    "proxyjump": ["j", "u@j:3,k", "none", "ssh://j:5"],
    "pubkeyacceptedalgorithms": ["+ssh-rsa", "-rsa*", "ssh-ed25519"],
    "pubkeyauthentication": ["yes", "no", "unbound", "host-bound"],
    "sendenv": ["LANG", "LC_* A", "-LC_*", "-A B"],
    "serveralivecountmax": ["1", "5"],
    "serveraliveinterval": ["0", "30", "1h"],
    "setenv": ["A=1", 'B=2 C="3 4"', "A=5 A=6"],
    "stricthostkeychecking": ["yes", "no", "ask", "accept-new", "off"],
    "user": ["u1", "u2"],
    "userknownhostsfile": ["/u", "/u/%h ~/v", "none"],
}


def test_all_keywords_are_compared() -> None:
    """The generated configurations have every keyword that is compared."""
    assert ONE_EACH.keys() == ALL


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
_BLOCK = st.one_of(
    st.builds("Host {}".format, _WORDS.map(" ".join)),
    st.builds("Match {}".format, st.lists(_CRITERION, min_size=1, max_size=3).map(" ".join)),
    st.just("Include {0}/part"),
)
_SETTING = st.sampled_from([f"{word} {value}" for word in sorted(ONE_EACH) for value in ONE_EACH[word]])
_USUAL = st.sampled_from(
    [f"{word} {value}" for word in ("hostname", "user", "port", "identityfile") for value in ONE_EACH[word]]
)
_STYLE = st.sampled_from([" {} {}", "{}={}", "\t{} = {}", "  {}  {}  ", '"{}" {}', "{}\t{}\r"])
_LINE = st.one_of(
    _BLOCK,
    st.builds(
        lambda style, setting: style.format(*setting.split(" ", 1)), _STYLE, st.one_of(_SETTING, _USUAL)
    ),
)


@needs_ssh
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(_LINE, max_size=20), part=st.lists(_LINE, max_size=5))
def test_any_configuration_as_ssh(write: Path, lines: list[str], part: list[str]) -> None:
    """Whatever stands in what order, it means what it means to OpenSSH."""
    (write / "part").write_text("\n".join(line for line in part if not line.startswith("Include")) + "\n")
    path = write / "config"
    path.write_text("\n".join(line.replace("{0}", str(write)) for line in lines) + "\n")
    hosts = ["a", "b", "x.example"]
    assert _we_say(path, hosts) == _says_ssh(path, hosts)


# -- in particular ----------------------------------------------------------------------------


@needs_ssh
def test_user_of_the_caller_as_ssh(write: Path) -> None:
    """A user named by the caller wins, and Match sees it."""
    path = write / "config"
    path.write_text("User bob\nMatch user tom\n Port 5\nMatch user bob\n Port 6\n")
    assert _we_say(path, ["a"], "tom") == _says_ssh(path, ["a"], "-l", "tom")


@needs_ssh
def test_settings_as_ssh(write: Path) -> None:
    """What stands before the files counts before them, in its order."""
    path = write / "config"
    path.write_text("Port 1\nIdentityFile /file\nProxyJump other\nSendEnv A\nMatch host real\n User bob\n")
    lines = [
        "Port=2", "IdentityFile=/one", "HostName=real", "ProxyCommand=nc", "Port=3", "IdentityFile=/two",
        "SendEnv=B", "StrictHostKeyChecking=no",
    ]  # fmt: skip
    options = [f"-o{line}" for line in lines]
    assert _we_say(path, ["a", "b"], given_first=lines) == _says_ssh(path, ["a", "b"], *options)


@needs_ssh
def test_local_user_as_ssh(write: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the program is what the system says, not what the environment says."""
    monkeypatch.setenv("LOGNAME", "liar")
    monkeypatch.setenv("USER", "liar")
    path = write / "config"
    path.write_text(f"Match localuser {ME}\n Port 5\n")
    assert _we_say(path, ["a"]) == _says_ssh(path, ["a"])


@needs_ssh
@pytest.mark.parametrize(
    "text",
    [
        "Port\n",
        "User a b\n",
        "Host b\n User a b\n",
        "IdentitiesOnly yes yes\n",
        "CertificateFile /y /z\n",
        'User "abc\n',
        'User ""\n',
        "SetEnv A\n",
        "SetEnv =x\n",
        "ProxyJump\n",
        "Host\n",
        "Match host\n",
    ],
)
def test_what_stops_ssh_is_refused(write: Path, text: str) -> None:
    """A line that OpenSSH does not take is no setting here either, wherever it stands."""
    path = write / "config"
    path.write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        _says_ssh(path, ["a"])
    with pytest.raises(SSHConfigError):
        SSHConfig([path])
