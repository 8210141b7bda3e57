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
from asynctask.pollers.swift_faults import translated
from asynctask.pollers.swift_urls import SwiftPlace

__all__ = ("Abandoned", "SwiftClient")


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
        self._logins: Any = None  # its connections
        self._connection: Any = None  # swiftclient's, to the container
        self._connected = ""  # the storage URL of that
        self._closed = False

    # -- from the loop: never blocks --------------------------------------------------------------

    def interrupt(self) -> None:
        """Have what is being read end at once. It need not work: urllib3 can do it since 2.3."""
        with suppress(AttributeError, OSError, RuntimeError, ValueError):
            self._connection.resp.raw.shutdown()

    def close(self) -> None:
        """Close the connections. Not while something is listed: that does it itself then."""
        self._closed = True
        self._disconnect()
        logins, self._logins, self._session = self._logins, None, None
        if logins is not None:
            _close(logins)

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
        try:
            return self._pages(unwanted)
        except BaseException:
            self._disconnect()
            raise
        finally:
            if self._closed:
                self.close()

    def _pages(self, unwanted: threading.Event) -> Listing:
        listing: Listing = {}
        marker = ""
        while True:
            if unwanted.is_set() or self._closed:
                raise Abandoned
            with translated(self._place.url, self._timeout):
                page = self._page(marker)
            if not page:
                return listing
            last = self._put(page, listing)
            # Names come in the order of their code points. Who does not go by the marker would never end.
            if last <= marker:
                raise self._error("the server repeats a part of the listing")
            marker = last

    def _put(self, page: Any, listing: Listing) -> str:
        """Put a page into the listing; returns the last name."""
        last = ""
        try:
            for entry in page:
                last = entry["name"]
                listing[last] = ("object", entry["hash"], entry["bytes"], entry["last_modified"])
        except (TypeError, KeyError) as exc:
            raise self._error("the server answers with something that is no listing") from exc
        return last

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
        token: str = self._session.get_token()
        url: str = self._storage_url or self._session.get_endpoint(
            service_type="object-store", interface=place.interface, region_name=place.region or None
        )
        if not url:
            raise self._error(
                "the catalogue has no object store",
                "look at region= and interface=",
                temporary=False,
            )
        if place.secure and not url.startswith("https:"):
            raise self._error(
                "the login was by TLS, and the storage is not",
                "give the right storage_url=",
                temporary=False,
            )
        return url, token

    def _new_session(self) -> Any:
        import requests
        from keystoneauth1.identity import v3
        from keystoneauth1.session import Session
        from swiftclient.authv1 import PasswordPlugin

        place = self._place
        if place.version == 1:
            auth = PasswordPlugin(place.auth_url, place.user, place.key)
        elif place.application:
            auth = v3.ApplicationCredential(
                place.auth_url, application_credential_id=place.user, application_credential_secret=place.key
            )
        else:
            auth = v3.Password(
                place.auth_url, username=place.user, password=place.key, **dict[str, Any](place.scope)
            )
        self._logins = requests.Session()
        return Session(
            auth=auth,
            session=self._logins,
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
            self._connected = url
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if connection.resp is not None:
                connection.resp.close()
            _close(connection.request_session)

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


def _close(session: Any) -> None:
    """Close the sockets of a session of requests.

    Its own close() leaves that to the garbage collector while an answer, or an error made of one, is kept.
    """
    for adapter in session.adapters.values():
        for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated
                manager.pools[key].close()
    session.close()
