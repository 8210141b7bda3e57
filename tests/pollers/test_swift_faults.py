"""What the libraries for Swift raise becomes a PollerError."""

from __future__ import annotations

import socket
import ssl
import zlib

import pytest
import requests
import urllib3
from keystoneauth1 import exceptions as keystone
from swiftclient.exceptions import ClientException

from asynctask.errors import PollerError
from asynctask.pollers.swift_faults import translated

pytestmark = pytest.mark.one_loop("nothing here runs in a loop")

SECRET = "S3cret"


def wrapped(inner: BaseException) -> requests.ConnectionError:
    """An error as requests and urllib3 wrap it."""
    pool = urllib3.HTTPConnectionPool("h")
    return requests.ConnectionError(urllib3.exceptions.MaxRetryError(pool, f"/{SECRET}", inner))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("raised", "reason", "temporary"),
    [
        (ClientException(SECRET, http_status=404), "there is no such container (HTTP 404 Not Found)", True),
        (
            ClientException(SECRET, http_status=403),
            "the container may not be listed (HTTP 403 Forbidden)",
            False,
        ),
        (ClientException(SECRET, http_status=498), "the container cannot be listed (HTTP 498)", True),
        (keystone.Unauthorized(SECRET), "the login is refused (HTTP 401 Unauthorized)", False),
        (keystone.ServiceUnavailable(SECRET), "no login there (HTTP 503 Service Unavailable)", True),
        (keystone.EndpointNotFound(SECRET), "the catalogue has no object store", False),
        (keystone.InvalidResponse(requests.Response()), "the server to log in at gives no login", False),
        (keystone.ConnectTimeout(SECRET), "no answer within 3 s", True),
        (
            wrapped(ConnectionRefusedError(111, "Connection refused")),
            "no connection: Connection refused",
            True,
        ),
        (
            wrapped(socket.gaierror(-2, "Name or service not known")),
            "no connection: Name or service not known",
            True,
        ),
        (wrapped(ssl.SSLCertVerificationError(1, SECRET)), "its certificate is not trusted", False),
        (requests.ReadTimeout(SECRET), "no answer within 3 s", True),
        (urllib3.exceptions.ProtocolError(SECRET), "the answer is cut off or damaged (ProtocolError)", True),
        (EOFError(SECRET), "the answer is cut off or damaged (EOFError)", True),
        (zlib.error(SECRET), "the answer is cut off or damaged (error)", True),
        (LookupError(SECRET), "the answer is cut off or damaged (LookupError)", True),
        (RecursionError(SECRET), "the answer is cut off or damaged (RecursionError)", True),
    ],
)
def test_each_fault_has_its_words(raised: Exception, reason: str, temporary: bool) -> None:
    """They say what it was and whether it may pass, and repeat nothing of what the library says."""
    error = translated("swift://h/box", raised, 3.0)
    assert error is not None
    assert (error.url, error.reason, error.temporary) == ("swift://h/box", reason, temporary)
    assert SECRET not in str(error)


@pytest.mark.parametrize("raised", [PollerError("swift://h/box", "because"), AttributeError()])
def test_what_is_one_already_and_a_mistake_in_the_program_stay_as_they_are(raised: Exception) -> None:
    """A mistake is no fault of the server."""
    assert translated("swift://h/box", raised, 3.0) is None
