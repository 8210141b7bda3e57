"""What the errors of an object store mean. No I/O here; botocore is needed for the types alone."""

from __future__ import annotations

from asynctask.errors import PollerError

__all__ = ("said", "translated")

_CREDENTIALS = (
    "see `aws sts get-caller-identity`; credentials come from the environment, a profile or the role"
)
_REGION = "give the region of the bucket with region="
#: What trying again cannot help against, and what can be done.
_LASTING = {
    "AccessDenied": "reading needs the permission s3:ListBucket",
    "AccountProblem": "",
    "AllAccessDisabled": "",
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": _CREDENTIALS,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidBucketName": "",
    "InvalidToken": _CREDENTIALS,
    "NotSignedUp": "",
    "PermanentRedirect": _REGION,
    "SignatureDoesNotMatch": "the secret key is wrong, or a proxy changes requests",
}
#: What passes, whatever the status says.
_PASSING = {
    "NoSuchBucket": "the bucket may be made later",
    "RequestTimeTooSkewed": "the clock of this machine or of the store is wrong",
    "RequestTimeout": "",
    "SlowDown": "",
}
_BUSY = frozenset({408, 425, 429})


def said(url: str, code: str, status: int) -> PollerError:
    """The error for an answer of the store.

    Args:
        url: what is watched.
        code: the store's word for it; where it has none, botocore gives the status.
        status: of HTTP.
    """
    text = f"the store answers {status}" + (f" {code}" if code and code != str(status) else "")
    if code in _LASTING:
        return PollerError(url, text, _LASTING[code], temporary=False)
    passes = code in _PASSING or status >= 500 or status in _BUSY
    return PollerError(url, text, _PASSING.get(code, ""), temporary=passes)


def translated(url: str, exc: Exception) -> PollerError:
    """The error for what botocore raises. Its own text may have parts of keys in it and is not used."""
    from botocore import exceptions, parsers

    if isinstance(exc, PollerError):
        return exc
    if isinstance(exc, exceptions.ClientError):
        code = str(exc.response.get("Error", {}).get("Code", ""))
        return said(url, code, int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)))
    if isinstance(exc, parsers.ResponseParserError | exceptions.PaginationError):
        return PollerError(url, "the answer of the store cannot be read")
    if isinstance(exc, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return PollerError(url, "there are no whole credentials", _CREDENTIALS, temporary=False)
    lasting = True
    unanswered = exceptions.CredentialRetrievalError | exceptions.HTTPClientError | exceptions.ConnectionError
    if isinstance(exc, unanswered):
        lasting = False  # the service that gives credentials does not answer
        text = "no credentials can be had"
    elif isinstance(exc, exceptions.ProfileNotFound):
        text = "there is no such profile"
    elif isinstance(exc, exceptions.ConfigNotFound | exceptions.ConfigParseError):
        text = "the configuration of the client cannot be read"
    elif isinstance(exc, exceptions.ParamValidationError | exceptions.BotoCoreError | ValueError):
        text = "the request cannot be made as it is"
    else:
        lasting, text = False, "the request failed"
    return PollerError(url, f"{text}: {type(exc).__name__}", temporary=not lasting)
