"""What the errors of an object store mean."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError

from asynctask.errors import PollerError
from asynctask.pollers.s3_faults import said, translated

pytestmark = pytest.mark.one_loop("nothing here runs on a loop")

URL = "s3://bucket/"


@pytest.mark.parametrize(
    ("code", "status", "temporary"),
    [
        ("AccessDenied", 403, False),
        ("InvalidAccessKeyId", 403, False),
        ("SignatureDoesNotMatch", 403, False),
        ("ExpiredToken", 400, False),
        ("PermanentRedirect", 301, False),
        ("SomethingNew", 400, False),
        ("RequestTimeTooSkewed", 403, True),
        ("NoSuchBucket", 404, True),
        ("SlowDown", 503, True),
        ("InternalError", 500, True),
        ("TooManyRequests", 429, True),
    ],
)
def test_wrong_credentials_stay_and_trouble_passes(code: str, status: int, temporary: bool) -> None:
    """The code counts more than the status."""
    error = said(URL, code, status)
    assert (error.reason, error.temporary) == (f"the store answers {status} {code}", temporary)


def test_a_status_is_not_told_twice() -> None:
    """Where the store has no word for it, botocore gives the status."""
    assert str(said(URL, "502", 502)) == "s3://bucket/: the store answers 502"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("AccessDenied", "s3:ListBucket"),
        ("InvalidAccessKeyId", "aws sts get-caller-identity"),
        ("SignatureDoesNotMatch", "secret key"),
        ("PermanentRedirect", "region="),
        ("NoSuchBucket", "made later"),
        ("RequestTimeTooSkewed", "clock"),
    ],
)
def test_hints_say_what_to_do(code: str, hint: str) -> None:
    """Where there is something."""
    assert hint in said(URL, code, 400).hint


@pytest.mark.parametrize(
    ("error", "reason", "temporary"),
    [
        (
            exceptions.ClientError({"Error": {"Code": "SlowDown"}}, "List"),
            "the store answers 0 SlowDown",
            True,
        ),
        (ResponseParserError("secret"), "the answer of the store cannot be read", True),
        (exceptions.PaginationError(message="secret"), "the answer of the store cannot be read", True),
        (exceptions.NoCredentialsError(), "there are no whole credentials", False),
        (
            exceptions.PartialCredentialsError(provider="env", cred_var="x"),
            "there are no whole credentials",
            False,
        ),
        (
            exceptions.CredentialRetrievalError(provider="role", error_msg="secret"),
            "no credentials can be had: CredentialRetrievalError",
            True,
        ),
        (
            exceptions.ConnectTimeoutError(endpoint_url="secret"),
            "no credentials can be had: ConnectTimeoutError",
            True,
        ),
        (exceptions.ProfileNotFound(profile="p"), "there is no such profile: ProfileNotFound", False),
        (
            exceptions.ConfigParseError(path="secret"),
            "the configuration of the client cannot be read: ConfigParseError",
            False,
        ),
        (
            exceptions.ParamValidationError(report="secret"),
            "the request cannot be made as it is: ParamValidationError",
            False,
        ),
        (ValueError("secret"), "the request cannot be made as it is: ValueError", False),
        (KeyError("secret"), "the request failed: KeyError", True),
    ],
)
def test_errors_of_botocore_are_said_in_our_words(error: Exception, reason: str, temporary: bool) -> None:
    """Its own may have too much in them."""
    found = translated(URL, error)
    assert (found.reason, found.temporary) == (reason, temporary)
    assert "secret" not in str(found)


def test_our_own_errors_stay_as_they_are() -> None:
    """They were said already."""
    error = PollerError(URL, "so")
    assert translated(URL, error) is error
