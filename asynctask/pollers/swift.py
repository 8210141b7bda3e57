"""A poller of the objects in an OpenStack Swift container."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import quote

from asynctask.errors import PollerError, UsageError
from asynctask.pollers.aside import Aside
from asynctask.pollers.base import SnapshotPoller
from asynctask.pollers.changes import Listing
from asynctask.pollers.swift_client import SwiftClient
from asynctask.pollers.swift_urls import find_place, storage_scheme

__all__ = ("SwiftPoller",)

#: How many seconds one look may take unless told otherwise: a listing of a million objects takes its time.
_TIMEOUT = 300.0
#: How many seconds the server may be silent unless told otherwise.
_REQUEST_TIMEOUT = 30.0
_NEEDS = ("swiftclient", "keystoneauth1")


class SwiftPoller(SnapshotPoller):
    """Reports objects that appear in, change in, or vanish from a container of OpenStack Swift.

    An object is modified when its ETag, its size or the time of its last change differs: also when it was
    overwritten with the same content, or given other metadata. It needs the extra ``swift``.

    What is not in the keywords is taken from the URL, and what is not there from the environment: ``OS_…``
    as OpenStack's tools have it, for version 1 ``ST_AUTH``, ``ST_USER`` and ``ST_KEY``. A user and a password
    of the environment go to no other host than the one its ``OS_AUTH_URL`` or ``ST_AUTH`` names.

    Args:
        url: ``swift://user+project:password@host:port/path?container``, ``swifts:`` for TLS; ``swt:`` and
            ``swts:`` are the same. The path is that of the server to log in at, by default ``/v3``, or
            ``/auth/v1.0``. The options up to ``interface`` may follow: ``?container&auth=1&prefix=in/``.
            Names are percent-encoded.
        auth: ``"3"`` for Keystone, or ``"1"``; by default 3, unless the path ends in ``v1`` or ``v1.0``.
        project: of Keystone; with version 1 the account.
        domain: of Keystone, for user and project; by default ``Default``.
        user_domain: of Keystone, for the user alone.
        project_domain: of Keystone, for the project alone.
        prefix: only objects whose names begin so.
        region: of the object store in Keystone's catalogue.
        interface: of it: ``"public"`` by default, ``"internal"``, ``"admin"``.
        user: who logs in.
        password: of the user.
        container: instead of the one in the URL.
        cacert: a file with the certificates to trust; by default those that come with ``requests``.
        storage_url: where the account is, if not where the login says.
        page_size: how many objects a request asks for; by default as many as the server gives.
        newest: have the server ask all replicas for the newest listing. Else one that lags behind may answer,
            and an object seems to vanish and come back.
        existing: report what is there at the start as created.
        state: what :meth:`.Poller.save` returned.
        timeout: seconds that one look may take.
        request_timeout: seconds that the server may be silent.

    Raises:
        UsageError: the URL makes no sense, something is missing, or the state is not one of this URL.

    A container that is missing is waited for. Objects count as deleted only when a whole listing has been
    read without them. Cancelling waits for nothing: a request on its way ends by itself.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: str | int | None = None,
        project: str | None = None,
        domain: str | None = None,
        user_domain: str | None = None,
        project_domain: str | None = None,
        prefix: str | None = None,
        region: str | None = None,
        interface: str | None = None,
        user: str | None = None,
        password: str | None = None,
        container: str | None = None,
        cacert: str | os.PathLike[str] | None = None,
        storage_url: str = "",
        page_size: int = 0,
        newest: bool = True,
        existing: bool = False,
        state: bytes | None = None,
        timeout: float = _TIMEOUT,
        request_timeout: float = _REQUEST_TIMEOUT,
    ) -> None:
        if page_size < 0:
            raise UsageError(f"page_size: 1 or more objects, or 0 for what the server gives, not {page_size}")
        if not request_timeout > 0:
            raise UsageError(f"request_timeout: more than 0 seconds, not {request_timeout}")
        if storage_url and not storage_scheme(storage_url):
            raise UsageError("storage_url: that of an account, as https://store.example/v1/AUTH_x")
        keywords: Mapping[str, str | None] = {
            "auth": None if auth is None else str(auth),
            "project": project,
            "domain": domain,
            "user_domain": user_domain,
            "project_domain": project_domain,
            "prefix": prefix,
            "region": region,
            "interface": interface,
            "user": user,
            "password": password,
            "container": container,
            "cacert": None if cacert is None else os.fspath(cacert),
        }
        place = find_place(url, keywords, os.environ)
        for name in _NEEDS:
            if find_spec(name) is None:
                raise UsageError(f"a poller for swift: URLs needs {name}: pip install 'asynctask[swift]'")
        super().__init__(place.url, existing=existing, state=state, timeout=timeout)
        self._root = place.root
        self._client = SwiftClient(
            place, page_size=page_size, newest=newest, storage_url=storage_url, timeout=request_timeout
        )
        self._requests = Aside(f"requests to {self._root}")

    async def _list(self) -> Listing:
        unwanted = threading.Event()
        try:
            return await self._requests.do(lambda: self._client.list_all(unwanted))
        except OSError as exc:
            raise PollerError(self.url, f"no thread can be started: {exc}") from exc
        except asyncio.CancelledError:
            unwanted.set()
            self._client.interrupt()
            raise

    async def _close(self) -> None:
        if self._requests.busy:
            self._client.end()
        else:
            self._client.close()

    def _subject(self, name: str) -> str:
        return f"{self._root}/{quote(name)}"
