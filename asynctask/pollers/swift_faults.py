"""What the libraries for Swift raise, as a PollerError. It repeats nothing of what they or a server say."""

from __future__ import annotations

import http.client
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asynctask.errors import PollerError

__all__ = ("translated",)

_LOOK_AT_LOGIN = "look at the path and at auth="
#: Not the caller's fault, though HTTP counts them so; 498 and 499 are Swift's own.
_PASSING = frozenset({408, 409, 425, 429, 498, 499})


@contextmanager
def translated(url: str, silence: float) -> Iterator[None]:
    """What is raised inside becomes a PollerError.

    Args:
        url: of what is watched.
        silence: seconds that the server may be silent.
    """
    import urllib3
    from keystoneauth1 import exceptions as keystone
    from swiftclient.exceptions import ClientException

    def error(reason: str, hint: str = "", *, temporary: bool = True) -> PollerError:
        return PollerError(url, reason, hint, temporary=temporary)

    try:
        yield
    except ClientException as exc:
        status = exc.http_status or 0
        missing = status == http.HTTPStatus.NOT_FOUND
        raise error(*_refusal(status), temporary=missing or _may_pass(status)) from exc
    except keystone.HttpError as exc:
        status = exc.http_status or 0
        raise error(*_no_login(status), temporary=_may_pass(status)) from exc
    except keystone.EndpointNotFound as exc:
        hint = "look at region= and interface="
        raise error("the catalogue has no object store", hint, temporary=False) from exc
    except keystone.ConnectionError as exc:
        raise error(*_no_answer(exc, silence), temporary=not _is_untrusted(exc)) from exc
    except keystone.ClientException as exc:
        raise error("the server to log in at gives no login", _LOOK_AT_LOGIN, temporary=False) from exc
    # The errors of requests are OSErrors.
    except (OSError, EOFError, ValueError, zlib.error, http.client.HTTPException) as exc:
        raise error(*_no_answer(exc, silence), temporary=not _is_untrusted(exc)) from exc
    except urllib3.exceptions.HTTPError as exc:
        raise error(*_no_answer(exc, silence)) from exc


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
