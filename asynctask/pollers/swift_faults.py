"""What the libraries for Swift raise, as a PollerError. It repeats nothing of what they or a server say."""

from __future__ import annotations

import http.client
import zlib
from typing import Any

from asynctask.errors import PollerError

__all__ = ("NO_LOGIN", "translated")

_LOOK_AT_LOGIN = "look at the path and at auth="
#: What to say of an answer that has no token, and what to do.
NO_LOGIN = ("the server to log in at gives no login", _LOOK_AT_LOGIN)
#: Not the caller's fault, though HTTP counts them so; 498 and 499 are Swift's own.
_PASSING = frozenset({408, 409, 425, 429, 498, 499})


def translated(url: str, exc: Exception, silence: float) -> PollerError | None:
    """The PollerError for what a library raises; none for what is one already, or a mistake in the program.

    Args:
        url: of what is watched.
        exc: what was raised.
        silence: seconds that the server may be silent.
    """
    import urllib3
    from keystoneauth1 import exceptions as keystone
    from swiftclient.exceptions import ClientException

    def error(reason: str, hint: str = "", *, temporary: bool = True) -> PollerError:
        return PollerError(url, reason, hint, temporary=temporary)

    match exc:
        case PollerError():
            return None
        case ClientException():
            status = exc.http_status or 0
            missing = status == http.HTTPStatus.NOT_FOUND
            return error(*_refusal(status), temporary=missing or _may_pass(status))
        case keystone.HttpError():
            status = exc.http_status or 0
            return error(*_no_login(status), temporary=_may_pass(status))
        case keystone.EndpointNotFound():
            hint = "look at region= and interface="
            return error("the catalogue has no object store", hint, temporary=False)
        case keystone.ConnectionError():
            return error(*_no_answer(exc, silence), temporary=not _is_untrusted(exc))
        case keystone.ClientException():
            return error(*NO_LOGIN, temporary=False)
        # The errors of requests are OSErrors. A LookupError is of an encoding that nobody knows.
        case OSError() | EOFError() | ValueError() | LookupError() | RecursionError():
            return error(*_no_answer(exc, silence), temporary=not _is_untrusted(exc))
        case urllib3.exceptions.HTTPError() | zlib.error() | http.client.HTTPException():
            return error(*_no_answer(exc, silence), temporary=not _is_untrusted(exc))
    return None


def _refusal(status: int) -> tuple[str, str]:
    said = _said(status)
    if status == http.HTTPStatus.UNAUTHORIZED:
        return f"a new token is refused ({said})", ""
    if status == http.HTTPStatus.FORBIDDEN:
        return f"the container may not be listed ({said})", "the user needs the right to read it"
    if status == http.HTTPStatus.NOT_FOUND:
        return f"there is no such container ({said})", ""
    return f"the container cannot be listed ({said})", ""


def _no_login(status: int) -> tuple[str, str]:
    said = _said(status)
    if status == http.HTTPStatus.UNAUTHORIZED:
        return f"the login is refused ({said})", "look at user, password and project"
    return f"no login there ({said})", "" if _may_pass(status) else _LOOK_AT_LOGIN


def _no_answer(exc: Exception, silence: float) -> tuple[str, str]:
    if _is_untrusted(exc):
        return "its certificate is not trusted", "give cacert=, or OS_CACERT"
    reasons = _chain(exc)
    for reason in reasons:
        if isinstance(reason, OSError) and reason.strerror:
            return f"no connection: {reason.strerror}", ""
    if any("timeout" in type(reason).__name__.lower() for reason in reasons):
        return f"no answer within {silence:g} s", ""
    return f"the answer is cut off or damaged ({type(reasons[-1]).__name__})", ""


def _said(status: int) -> str:
    try:
        return f"HTTP {status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _may_pass(status: int) -> bool:
    return status in _PASSING or not 400 <= status < 500


def _is_untrusted(exc: Exception) -> bool:
    return any(type(reason).__name__ == "SSLCertVerificationError" for reason in _chain(exc))


def _chain(exc: BaseException) -> list[BaseException]:
    """An error and what it comes from: also what it only carries along, as those of urllib3 do."""
    chain: list[BaseException] = []
    waiting: list[Any] = [exc]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and not any(one is known for known in chain):
            chain.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return chain
