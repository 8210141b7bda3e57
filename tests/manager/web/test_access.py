"""Tokens, names that are answered to, and where requests come from."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from asynctask.errors import ManagerError, UsageError
from asynctask.manager.web.access import Token, host_is_known, is_loopback, origin_is_ours, token_in_file

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")

SECRET = "0123456789abcdef"


@pytest.mark.parametrize("text", [f"Bearer {SECRET}", f"bearer  {SECRET} "])
def test_a_token_is_in_its_header(text: str) -> None:
    """The scheme's case and spaces do not matter."""
    assert Token(SECRET).is_in(text)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        SECRET,
        "Bearer",
        f"Basic {SECRET}",
        f"Bearer {SECRET[:-1]}",
        f"Bearer {SECRET}0",
        "Bearer \udcff",
    ],
)
def test_another_token_is_not(text: str | None) -> None:
    """Whatever else is sent is refused."""
    assert not Token(SECRET).is_in(text)


def test_no_token_is_shown() -> None:
    """A token that is logged by mistake tells nothing."""
    token = Token(SECRET)

    assert SECRET not in repr(token) + str(token) + repr([token])
    assert token.reveal() == SECRET


@pytest.mark.parametrize(
    "text", ["", "short", "0123456789 abcdef", "0123456789abcdé" * 2, "x" * 1025, "x" * 16 + "\n"]
)
def test_what_cannot_be_a_token_is_refused(text: str) -> None:
    """Too short, too long, or not fit for a header; the text itself is not told."""
    with pytest.raises(UsageError, match="token") as told:
        Token(text)

    assert not text or text not in str(told.value)


def test_a_token_is_made_up_once(tmp_path: Path) -> None:
    """It is written for the owner alone, and found again."""
    path = tmp_path / "token"
    token = token_in_file(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(token.reveal()) == 43
    assert token_in_file(path).reveal() == token.reveal()


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """It may have been read."""
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o644)

    with pytest.raises(ManagerError, match="others may read it"):
        token_in_file(path)


def test_a_file_without_a_token_is_refused(tmp_path: Path) -> None:
    """An empty file is no token."""
    path = tmp_path / "token"
    path.touch(0o600)

    with pytest.raises(UsageError, match=f"{path}: the token for HTTP needs 16"):
        token_in_file(path)


def test_a_token_cannot_be_put_where_there_is_no_directory(tmp_path: Path) -> None:
    """The system's reason is told."""
    with pytest.raises(ManagerError, match="No such file or directory"):
        token_in_file(tmp_path / "none" / "token")


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:80",
        "localhost.:8000",
        "127.0.0.1:5000",
        "[::1]:80",
        "[::1]",
        "10.1.2.3",
        "box.example:1",
    ],
)
def test_our_names_are_known(header: str) -> None:
    """Addresses, localhost, and the names that were given, at any port."""
    assert host_is_known(header, {"box.example"})


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "evil.example",
        "evil.example:80",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[evil]",
    ],
)
def test_other_names_are_not(header: str | None) -> None:
    """A name that somebody has made point here is no name of ours."""
    assert not host_is_known(header, {"box.example"})


@pytest.mark.parametrize(
    ("origin", "host", "site", "ours"),
    [
        (None, "localhost:1", None, True),
        ("http://localhost:1", "localhost:1", "same-origin", True),
        ("https://LOCALHOST:1", "localhost:1", None, True),
        ("http://localhost:2", "localhost:1", None, False),
        ("http://evil.example", "localhost:1", None, False),
        ("null", "localhost:1", None, False),
        ("file://localhost:1", "localhost:1", None, False),
        (None, "localhost:1", "cross-site", False),
        ("http://localhost:1", "localhost:1", "same-site", False),
        ("http://", None, None, False),
    ],
)  # fmt: skip
def test_changes_come_from_our_page_or_from_none(
    origin: str | None, host: str | None, site: str | None, ours: bool
) -> None:
    """Pages of others cannot change anything."""
    assert origin_is_ours(origin, host, site) is ours


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("box", False),
    ],
)
def test_who_can_connect(host: str, local: bool) -> None:
    """Loopback addresses are for this machine alone."""
    assert is_loopback(host) is local
