"""Lists a Swift container. All of it blocks, and belongs into a thread.

python-swiftclient asks, keystoneauth1 logs in, for both kinds of login. Neither gets to see more than it
needs: what swiftclient logs has no token in it, and nobody follows a redirection, to which token or password
would be sent along.
"""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from asynctask.errors import PollerError
from asynctask.pollers.changes import Listing
from asynctask.pollers.swift_faults import NO_LOGIN, translated
from asynctask.pollers.swift_urls import SwiftPlace, storage_scheme

__all__ = ("Abandoned", "SwiftClient")

#: The most bytes of an answer, unpacked: 10 000 of the longest names have place.
LONGEST = 64 << 20
_LOOK_AT_STORAGE = "give the right storage_url="
_NO_LISTING = "the server answers with something that is no listing"


class Abandoned(Exception):  # noqa: N818 - no error: it was asked for
    """Nobody wants the listing any more."""


class SwiftClient:
    """Lists one container, in one thread at a time.

    Args:
        place: the container, and how to get there.
        page_size: objects a request; 0: as many as the server gives.
        newest: ask all replicas for the newest listing.
        storage_url: where the account is, if not where the login says.
        timeout: seconds that the server may be silent.
    """

    def __init__(
        self, place: SwiftPlace, *, page_size: int, newest: bool, storage_url: str, timeout: float
    ) -> None:
        self._place = place
        self._page_size = page_size
        self._newest = newest
        self._storage_url = storage_url
        self._timeout = timeout
        self._session: Any = None  # keystoneauth's: has the token
        self._connection: Any = None  # swiftclient's, to the container
        self._connected = ""  # the storage URL of that
        self._reader: Any = None  # has the sockets of both
        self._unwanted = threading.Event()  # set when nobody wants the listing any more
        self._closed = False

    # -- from the loop: never blocks --------------------------------------------------------------

    def interrupt(self) -> None:
        """Have what is being read end at once. It need not work: urllib3 can do it since 2.3."""
        if self._reader is not None:
            self._reader.interrupt()

    def close(self) -> None:
        """Close the connections. Not while something is listed: that does it itself then."""
        self._closed = True
        self._disconnect()
        self._session = None

    def end(self) -> None:
        """Have the thread that lists close the connections when it ends."""
        self._closed = True
        self.interrupt()

    # -- in a thread ------------------------------------------------------------------------------

    def list_all(self, unwanted: threading.Event) -> Listing:
        """Everything in the container, unless it turns out to be unwanted.

        Raises:
            PollerError: it cannot be had; a part of it is no answer.
            Abandoned: nobody wants it any more.
        """
        self._unwanted = unwanted
        try:
            return self._pages()
        except BaseException:
            self._disconnect()
            raise
        finally:
            if self._closed:
                self.close()

    def _pages(self) -> Listing:
        listing: Listing = {}
        marker = ""
        while True:
            self._check()
            page = self._page_or_error(marker)
            if not isinstance(page, list):
                raise self._error(_NO_LISTING)
            if not page:
                return listing
            last = self._put(page, listing)
            # Names come in the order of their code points. Who does not go by the marker would never end.
            if last <= marker:
                raise self._error("the server repeats a part of the listing")
            marker = last

    def _check(self, size: int = 0) -> None:
        """Called between two requests, and while an answer is read."""
        if self._unwanted.is_set() or self._closed:
            raise Abandoned
        if size > LONGEST:
            hint = "page_size= makes the pages of a listing shorter"
            raise self._error(f"the answer is longer than {LONGEST} bytes", hint, temporary=False)

    def _put(self, page: list[Any], listing: Listing) -> str:
        """Put a page into the listing; returns the last name."""
        last = ""
        try:
            for entry in page:
                last = entry["name"]
                last.encode()
                stamp = (entry["hash"], entry["bytes"], entry["last_modified"])
                if not all(isinstance(value, str | int) for value in stamp):
                    raise TypeError
                listing[last] = ("object", *stamp)
        except (AttributeError, KeyError, TypeError, UnicodeEncodeError) as exc:
            raise self._error(_NO_LISTING) from exc
        return last

    def _page_or_error(self, marker: str) -> Any:
        try:
            return self._page(marker)
        except Exception as exc:
            error = translated(self._place.url, exc, self._timeout)
            if error is None:
                raise
        # Not above, where it would take the error of the library along: that has what the server said in it.
        raise error

    def _page(self, marker: str) -> Any:
        """One page. A token that is not good any more is renewed, once."""
        from swiftclient.exceptions import ClientException

        try:
            return self._ask(marker)
        except ClientException as exc:
            if exc.http_status != http.HTTPStatus.UNAUTHORIZED:
                raise
        self._session.invalidate()
        return self._ask(marker)

    def _ask(self, marker: str) -> Any:
        from swiftclient.client import get_container

        url, token = self._login()
        connection = self._connect(url)
        headers = {"X-Newest": "true"} if self._newest else {}
        _, page = get_container(
            url,
            "",
            self._place.container,
            marker=marker or None,
            limit=self._page_size or None,
            prefix=self._place.prefix or None,
            http_conn=(urlsplit(url), _Wire(connection, token)),
            headers=headers,
        )
        return page

    def _login(self) -> tuple[str, str]:
        """The storage URL and a token."""
        place = self._place
        if self._session is None:
            self._session = self._new_session()
        token = None
        with suppress(AttributeError, LookupError, TypeError, ValueError):  # of an answer not as expected
            url: str = self._storage_url or self._session.get_endpoint(
                service_type="object-store", interface=place.interface, region_name=place.region or None
            )
            token = self._session.get_token()
        if token is None:
            raise self._error(*NO_LOGIN, temporary=False)
        if not url:
            raise self._error(
                "the catalogue has no object store",
                "look at region= and interface=",
                temporary=False,
            )
        scheme = storage_scheme(url)
        if not scheme:
            raise self._error("the login names no storage", _LOOK_AT_STORAGE, temporary=False)
        if place.secure and scheme != "https":
            raise self._error(
                "the login was by TLS, and the storage is not", _LOOK_AT_STORAGE, temporary=False
            )
        return url, token

    def _new_session(self) -> Any:
        import requests
        from keystoneauth1.identity import v3
        from keystoneauth1.session import Session
        from swiftclient.authv1 import PasswordPlugin

        place = self._place
        if place.version == 1:
            auth = PasswordPlugin(place.auth_url, _for_a_header(place.user), _for_a_header(place.key))
        elif place.application:
            auth = v3.ApplicationCredential(
                place.auth_url, application_credential_id=place.user, application_credential_secret=place.key
            )
        else:
            auth = v3.Password(
                place.auth_url, username=place.user, password=place.key, **dict[str, Any](place.scope)
            )
        logins = self._bounded(requests.Session())
        logins.headers["Accept-Encoding"] = "gzip"  # what the reader knows
        return Session(
            auth=auth,
            session=logins,
            verify=place.cacert or True,
            timeout=self._timeout,
            redirect=False,
            connect_retries=0,
        )

    def _connect(self, url: str) -> Any:
        from swiftclient.client import HTTPConnection

        if self._connection is None or self._connected != url:
            self._disconnect()
            self._connection = HTTPConnection(url, cacert=self._place.cacert or None, timeout=self._timeout)
            self._connection.requests_args["allow_redirects"] = False
            self._bounded(self._connection.request_session)
            self._connected = url
        return self._connection

    def _bounded(self, session: Any) -> Any:
        """Have our reader read what a session of requests asks for."""
        from asynctask.pollers.swift_reading import Reader

        if self._reader is None:
            self._reader = Reader(self._check, LONGEST)
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._reader)
        return session

    def _disconnect(self) -> None:
        self._connection = None
        if self._reader is not None:
            self._reader.close()

    def _error(self, reason: str, hint: str = "", *, temporary: bool = True) -> PollerError:
        return PollerError(self._place.url, reason, hint, temporary=temporary)


class _Wire:
    """Puts the token into requests on their way out, past swiftclient, which logs the headers it knows."""

    def __init__(self, connection: Any, token: str) -> None:
        self._connection = connection
        self._token = token

    def request(self, method: str, path: str, data: Any = None, headers: Any = None) -> Any:
        return self._connection.request(method, path, data, {**headers, "X-Auth-Token": self._token})

    def getresponse(self) -> Any:
        return self._connection.getresponse()


def _for_a_header(text: str) -> str:
    """What http.client sends as the UTF-8 that Swift expects."""
    return text.encode().decode("latin-1")
