"""Tests of asynctask.transfer.names."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.errors import UsageError
from asynctask.transfer.names import (
    TEMPORARY,
    check_entry,
    check_link,
    node_part,
    remote_path,
    shown,
    source_name,
    temporary_name,
)
from asynctask.transfer.problems import Problem


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/etc/hosts", "/etc/hosts"),
        ("größe 1".encode(), "größe 1"),
        (b"a\x1b[2J\n", r"a\x1b[2J\n"),
        (b"\xff", r"\xff"),
        ("\x9b31m".encode(), r"\x9b31m"),
        ("\u202etxt", r"\u202etxt"),
        (b"x" * 300, "x" * 100 + "..." + "x" * 100),
    ],
)
def test_shown(path: bytes | str, text: str) -> None:
    """Nothing that a name holds reaches a terminal as it is."""
    assert shown(path) == text


@pytest.mark.parametrize("name", [b"a", b".hidden", b"...", b"a b", "ä\u202e".encode(), b"\xff\xfe", b"-rf"])
def test_a_safe_entry(name: bytes) -> None:
    """Odd names are names."""
    check_entry(b"/d", name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (b"", "is no name of a file: ''"),
        (b".", "is no name of a file: '.'"),
        (b"..", "is no name of a file: '..'"),
        (b"/etc/passwd", "has a slash in it: '/etc/passwd'"),
        (b"../x", "has a slash in it: '../x'"),
        (b"a/", "has a slash in it: 'a/'"),
        (b"a\0b", r"has a control character in it: 'a\x00b'"),
        (b"a\nb", r"has a control character in it: 'a\nb'"),
        (b"\x1b[2J", r"has a control character in it: '\x1b[2J'"),
        ("\x9b2J".encode(), r"has a control character in it: '\x9b2J'"),
    ],
)
def test_a_hostile_entry(name: bytes, reason: str) -> None:
    """It is refused, and shown escaped."""
    with pytest.raises(Problem) as caught:
        check_entry(b"/d", name)
    assert (caught.value.path, caught.value.reason) == (
        b"/d",
        f"refused: the node lists a name that {reason}",
    )


@pytest.mark.parametrize("target", [b"/etc/passwd", b"../..", b"a", b"\xff"])
def test_a_link_may_lead_anywhere(target: bytes) -> None:
    """Since nobody follows it."""
    check_link(b"l", target)


@pytest.mark.parametrize("target", [b"", b"a\0", b"x" * 4096])
def test_a_link_that_cannot_be(target: bytes) -> None:
    """What the system would not take is refused before."""
    with pytest.raises(Problem, match="refused: a link to"):
        check_link(b"l", target)


@pytest.mark.parametrize(
    ("node", "part"),
    [
        ("web1", "web1"),
        ("user@host:22", "user@host:22"),
        ("[::1]:22", "[::1]:22"),
        ("../../etc/x", "..%2F..%2Fetc%2Fx"),
        ("a%2Fb", "a%252Fb"),
        ("a b\n", "a%20b%0A"),
        ("knödel", "knödel"),
    ],
)
def test_node_part(node: str, part: str) -> None:
    """A node's name as a part of a file's name."""
    assert node_part(node) == part


@given(st.text(), st.text())
def test_different_nodes_have_different_parts(one: str, other: str) -> None:
    """And none of them leads anywhere."""
    assert (node_part(one) == node_part(other)) == (one == other)
    assert not re.search(r"[/\0\n]", node_part(one))


def test_temporary_names() -> None:
    """They are new each time, hidden and short."""
    one, other = temporary_name(), temporary_name()
    assert one != other
    assert one.startswith(TEMPORARY)
    assert len(one) < 32


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/etc/hosts", b"/etc/hosts"),
        ("a/b", b"a/b"),
        ("~", b"."),
        ("~/", b"."),
        ("~/a", b"a"),
        ("~//a/", b"a/"),
        ("\udcff", b"\xff"),
    ],
)
def test_remote_path(path: str, sent: bytes) -> None:
    """The home directory is where SFTP begins."""
    assert remote_path(path) == sent


def test_the_home_of_somebody_else() -> None:
    """It cannot be asked for."""
    with pytest.raises(UsageError, match=r"^~root/x: only ~/, the home of the user who logs in,"):
        remote_path("~root/x")


@pytest.mark.parametrize(
    ("path", "name"), [("/etc/hosts", "hosts"), ("a", "a"), ("/etc/", "etc"), ("~/x", "x")]
)
def test_source_name(path: str, name: str) -> None:
    """What a copy is called."""
    assert source_name(path) == name


@pytest.mark.parametrize("path", ["/", "..", "a/..", ".", "~"])
def test_no_source_name(path: str) -> None:
    """Some paths have no name in them."""
    with pytest.raises(UsageError, match="has no name that its copies could have"):
        source_name(path)
