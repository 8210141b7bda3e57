"""Answers to the libraries for Swift, read for them.

They would read, and unpack, what never ends, and log what a server says about a failure. That may have in it
what it was sent.
"""

from __future__ import annotations

import http
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter

__all__ = ("Reader",)

_PIECE = 1 << 16
#: What describes a body on its way, and not one that was read.
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Reader(HTTPAdapter):
    """An adapter for a session of requests that reads bodies at once, and of a failure nothing at all.

    Args:
        check: is told how many bytes there are by now; what it raises ends the request.
        longest: the most bytes of a body that are unpacked.
    """

    def __init__(self, check: Callable[[int], None], longest: int) -> None:
        super().__init__()
        self._check = check
        self._longest = longest
        self._reading: Any = None

    @property
    def reading(self) -> bool:
        """Whether a body is being read."""
        return self._reading is not None

    def interrupt(self) -> None:
        """Have what is being read end at once; any thread may call. urllib3 can do it since 2.3."""
        with suppress(AttributeError, OSError, RuntimeError, ValueError):
            self._reading.shutdown()

    def close(self) -> None:
        """Close the sockets; it can be used again.

        The one of requests leaves that to the garbage collector while an answer, or an error made of one, is
        kept.
        """
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it cannot be iterated
                manager.pools[key].close()
        super().close()

    def build_response(self, req: Any, resp: Any) -> Any:
        """What the session gets for the answer of urllib3."""
        return super().build_response(req, self._whole(resp))

    def _whole(self, answer: Any) -> urllib3.HTTPResponse:
        if answer.status >= http.HTTPStatus.MULTIPLE_CHOICES:
            answer.close()
            return urllib3.HTTPResponse(BytesIO(), {}, answer.status, preload_content=False)
        self._reading = answer
        body = bytearray()
        try:
            for piece in answer.stream(_PIECE, decode_content=False):
                body += piece
                self._check(len(body))
        except BaseException:
            answer.close()
            raise
        finally:
            self._reading = None
        if answer.headers.get("content-encoding", "").lower() == "gzip":
            body = self._unpacked(body)
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_WIRE}
        return urllib3.HTTPResponse(
            BytesIO(body), headers, answer.status, reason=answer.reason, preload_content=False
        )

    def _unpacked(self, body: bytearray) -> bytearray:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        unpacked = bytearray(unpacker.decompress(body, self._longest + 1))
        self._check(len(unpacked))
        if not unpacker.eof:
            raise EOFError
        return unpacked
