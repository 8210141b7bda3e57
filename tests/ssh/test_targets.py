"""Tests of asynctask.ssh.targets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import SSHConfigError
from asynctask.ssh.targets import Target, check_targets, parse_jumps, parse_target
from asynctask.task import Task

TARGETS = {
    "web1": Target(None, "web1", None),
    "web-1.example.org": Target(None, "web-1.example.org", None),
    "_srv": Target(None, "_srv", None),
    "bücher.example": Target(None, "bücher.example", None),
    "root@web1": Target("root", "web1", None),
    "web1:2222": Target(None, "web1", 2222),
    "root@web1:2222": Target("root", "web1", 2222),
    "me@corp.example@web1:22": Target("me@corp.example", "web1", 22),
    "root@@web1": Target("root@", "web1", None),
    "CORP\\me@web1": Target("CORP\\me", "web1", None),
    "machine$@web1": Target("machine$", "web1", None),
    "me:x@web1": Target("me:x", "web1", None),
    "::1": Target(None, "::1", None),
    "fe80::1%eth0": Target(None, "fe80::1%eth0", None),
    "::ffff:10.0.0.1": Target(None, "::ffff:10.0.0.1", None),
    "root@::1": Target("root", "::1", None),
    "[::1]": Target(None, "::1", None),
    "[::1]:22": Target(None, "::1", 22),
    "root@[fe80::1%eth0]:65535": Target("root", "fe80::1%eth0", 65535),
    "[web1]:22": Target(None, "web1", 22),
    "ssh://web1": Target(None, "web1", None),
    "SSH://web1/": Target(None, "web1", None),
    "ssh://root@web1:2222": Target("root", "web1", 2222),
    "ssh://me%40corp@[::1]:22/": Target("me@corp", "::1", 22),
    "ssh": Target(None, "ssh", None),
}


@pytest.mark.parametrize(("text", "target"), TARGETS.items())
def test_a_target(text: str, target: Target) -> None:
    """User, host and port come apart."""
    assert parse_target(text) == target


BLANK = "a blank or control character in it; remove it"
NO_HOST = "no host; write user@host:port, of which host alone is a must"
NO_USER = "no user before the @; name one, or leave out the @"
WRONG = {
    "": NO_HOST,
    "root@": NO_HOST,
    "[]:22": NO_HOST,
    ":22": NO_HOST,
    "ssh://": NO_HOST,
    "@web1": NO_USER,
    "ssh://@web1": NO_USER,
    "web 1": BLANK,
    "web1\n": BLANK,
    "ro\x1bot@web1": BLANK,
    "web\0": BLANK,
    "ssh://a%0ab@web1": "a blank or control character in the user; remove it",
    "web1:": "port '' is no number from 1 to 65535; write host:port or host",
    "web1:0": "port '0' is no number from 1 to 65535; write host:port or host",
    "web1:65536": "port '65536' is no number from 1 to 65535; write host:port or host",
    "web1:-1": "port '-1' is no number from 1 to 65535; write host:port or host",
    "web1:ssh": "port 'ssh' is no number from 1 to 65535; write host:port or host",
    "[::1]:²": "port '²' is no number from 1 to 65535; write host:port or host",
    f"web1:{'9' * 5000}": f"port '{'9' * 5000}' is no number from 1 to 65535; write host:port or host",
    "web1:22:23": "several colons and no IPv6 address; write host:port or [address]:port",
    "[::1": "brackets that do not fit; write [address]:port",
    "[::1]22": "brackets that do not fit; write [address]:port",
    "ssh://web1/tmp": "a path in it; remove what follows the host",
    "-oProxyCommand=x": "no host has '-' there; write user@host:port",
    "root@-x": "no host has '-' there; write user@host:port",
    "-x@web1": "no user has '-' there; write user@host:port",
    "$(id)": "no host has '$' there; write user@host:port",
    "a/b": "no host has '/' there; write user@host:port",
    "x;id@web1": "no user has ';' there; write user@host:port",
    "a\\@web1": "no user has '\\\\' there; write user@host:port",
}


@pytest.mark.parametrize(("text", "reason"), WRONG.items(), ids=lambda text: repr(text)[:40])
def test_no_target(text: str, reason: str) -> None:
    """The error has the text, the reason, and what to do."""
    with pytest.raises(SSHConfigError) as raised:
        parse_target(text)
    assert str(raised.value) == f"target {text!r}: {reason}"


def test_a_password_in_a_url_is_not_shown() -> None:
    """It is refused, and no message has it."""
    with pytest.raises(SSHConfigError) as raised:
        parse_jumps("a,ssh://me:secret@web1:22")
    assert str(raised.value) == (
        "ProxyJump: target 'ssh://me:…@web1:22': a password in it; give it as the option password instead"
    )


@pytest.mark.parametrize(
    ("text", "jumps"),
    [
        ("none", ()),
        (" NONE ", ()),
        ("b", (Target(None, "b", None),)),
        (" b,u@c:22 ", (Target(None, "b", None), Target("u", "c", 22))),
        ("ssh://u@b:1,[::1]:2", (Target("u", "b", 1), Target(None, "::1", 2))),
    ],
)
def test_jumps(text: str, jumps: tuple[Target, ...]) -> None:
    """Targets in the order in which they are reached."""
    assert parse_jumps(text) == jumps


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", f"target '': {NO_HOST}"),
        ("a,,b", f"target '': {NO_HOST}"),
        ("a, b", f"target ' b': {BLANK}"),
        ("a:x", "target 'a:x': port 'x' is no number from 1 to 65535; write host:port or host"),
    ],
)
def test_no_jumps(text: str, reason: str) -> None:
    """The error has the part that is wrong."""
    with pytest.raises(SSHConfigError) as raised:
        parse_jumps(text)
    assert str(raised.value) == f"ProxyJump: {reason}"


_WORD = st.text("abz019.-_", min_size=1).map(lambda text: f"x{text}")


@given(
    user=st.none() | st.text("abc@.$-:", min_size=1).map(lambda text: f"x{text}"),
    host=_WORD,
    port=st.none() | st.integers(1, 65535),
)
def test_what_was_put_together_comes_apart(user: str | None, host: str, port: int | None) -> None:
    """Any user, host and port are found again."""
    text = ("" if user is None else f"{user}@") + host + ("" if port is None else f":{port}")
    assert parse_target(text) == Target(user, host, port)


@given(st.text(max_size=12))
def test_any_text(text: str) -> None:
    """It is a target without characters that could mislead, or a configuration error."""
    try:
        target = parse_target(text)
    except SSHConfigError:
        return
    assert target.host
    assert not target.host.startswith("-")
    assert not set(target.host) & set(" \n\0'\"`$;&|<>(){}\\/[]@")


def test_targets_are_refused_at_the_call() -> None:
    """The first that is none; a password in one is not shown."""
    check_targets(["web1", "u@web2:22"])
    with pytest.raises(SSHConfigError, match=r"^target 'web1:x': port 'x' is no number"):
        check_targets(["web1", "web1:x"])
    with pytest.raises(SSHConfigError) as caught:
        Task().shell("true", nodes=["ssh://u:secret@web1"])
    assert "secret" not in str(caught.value)
