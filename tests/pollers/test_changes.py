"""Tests of asynctask.pollers.changes."""

from __future__ import annotations

import os

import pytest

from asynctask.errors import UsageError
from asynctask.pollers.changes import Change, file_path, file_url, scheme_of
from tests.support import refused


def test_a_change_is_a_pair() -> None:
    """Seed 003: a subject and an event."""
    url, event = Change("file:///srv/a", "created")
    assert (url, event) == ("file:///srv/a", "created")


@pytest.mark.parametrize("name", [b"a b", b"a%20b", b"#?;&", b"\xff\xfe", "ä€".encode(), b"a\nb"])
def test_the_path_of_any_name_comes_back(name: bytes) -> None:
    """A URL has nothing but ASCII, and leads back to the same file, whatever bytes its name has."""
    path = os.fsdecode(b"/srv/" + name)
    change = Change(file_url(path), "created")
    assert change.url.isascii()
    assert not set(change.url) & set(" #?\n")
    assert os.fsencode(change.path) == b"/srv/" + name


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("/srv/inbox", "file"),
        ("inbox", "file"),
        ("file:///srv", "file"),
        ("FILE:/srv", "file"),
        ("C:drive", "file"),
        ("S3://bucket", "s3"),
        ("https://host/x", "https"),
    ],
)
def test_the_scheme(url: str, scheme: str) -> None:
    """What has none is a path."""
    assert scheme_of(url) == scheme


@pytest.mark.parametrize(
    ("url", "path"),
    [("/a b", "/a b"), ("file:///a%20b", "/a b"), ("file:/a", "/a"), ("file://localhost/a", "/a")],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    """All forms of a file URL, and a plain path."""
    assert file_path(url) == path


def test_urls_that_name_no_file_here() -> None:
    """Each is refused, and says what would do."""
    refused(UsageError, "no file: URL: s3://bucket/key", lambda: Change("s3://bucket/key", "created").path)
    for url in ("file://host/a", "file:a", "file://a"):
        message = f"a file: URL has an absolute path on this machine, as file:///srv/inbox: {url}"
        refused(UsageError, message, lambda url=url: file_path(url))  # type: ignore[misc]
    message = "in a file: URL ? is written %3F and # is written %23: file:///a?b"
    refused(UsageError, message, lambda: file_path("file:///a?b"))
