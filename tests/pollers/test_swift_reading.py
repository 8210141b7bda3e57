"""Reading answers for the libraries of Swift."""

from __future__ import annotations

import gzip
from io import BytesIO

import pytest
import requests
import urllib3

from asynctask.pollers.swift_reading import Reader

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")

REQUEST = requests.Request("GET", "http://h/").prepare()


def answer(body: bytes, status: int = 200, **headers: str) -> urllib3.HTTPResponse:
    """As urllib3 gives it: nothing is read yet."""
    return urllib3.HTTPResponse(
        BytesIO(body),
        {name.replace("_", "-"): value for name, value in headers.items()},
        status,
        preload_content=False,
    )


def read(given: urllib3.HTTPResponse, longest: int = 100_000) -> requests.Response:
    """What a session gets for it."""
    response: requests.Response = Reader(lambda size: None, longest).build_response(REQUEST, given)
    return response


def test_a_body_is_read_at_once() -> None:
    """Headers that are about the way it came are gone, others are there."""
    found = read(answer(b"body", 201, Content_Length="4", X_Subject_Token="t"))
    assert (found.status_code, found.content, dict(found.headers)) == (201, b"body", {"X-Subject-Token": "t"})


def test_a_body_is_unpacked() -> None:
    """Nobody does it again."""
    found = read(answer(gzip.compress(b"body"), Content_Encoding="GZIP"))
    assert (found.raw.read(), dict(found.headers)) == (b"body", {})


def test_a_body_that_cannot_be_unpacked_whole_is_none() -> None:
    """Its end with the checksum is missing."""
    with pytest.raises(EOFError):
        read(answer(gzip.compress(b"body")[:-1], Content_Encoding="gzip"))


def test_of_a_failure_there_is_the_status_alone() -> None:
    """What a server says about it is not even read."""
    given = answer(b"body", 403, X_Echo="t")
    found = read(given)
    assert (found.status_code, found.content, dict(found.headers)) == (403, b"", {})
    assert given.closed


def test_the_check_hears_how_much_there_is() -> None:
    """On its way, and unpacked, of which there is one byte more than is allowed at most."""
    sizes: list[int] = []
    packed = gzip.compress(b" " * 1_000_000)
    Reader(sizes.append, 2_000_000).build_response(REQUEST, answer(b" " * 70_000))
    with pytest.raises(EOFError):
        Reader(sizes.append, 9).build_response(REQUEST, answer(packed, Content_Encoding="gzip"))
    assert sizes == [65536, 70_000, len(packed), 10]


def test_what_the_check_raises_ends_the_request() -> None:
    """Nothing is being read after it."""

    def check(size: int) -> None:
        raise KeyError(size)

    reader, given = Reader(check, 100), answer(b"body")
    with pytest.raises(KeyError, match="4"):
        reader.build_response(REQUEST, given)
    assert given.closed
    assert not reader.reading


def test_interrupting_nothing_does_nothing() -> None:
    """Whoever wants to need not know."""
    Reader(lambda size: None, 100).interrupt()
