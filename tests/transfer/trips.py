"""Counts round trips: how often a session had to wait for the node before it could go on."""

from __future__ import annotations

from typing import Any

from asynctask.transfer.remote import Remote

__all__ = ("Trips",)


class Trips:
    """Watches a session.

    Attributes:
        count: a request's number is one more than the highest of those that were answered before it was sent.
        most: how many requests were on their way at once.
    """

    def __init__(self, remote: Remote) -> None:
        self.count = 0
        self.most = 0
        self._sent: dict[int, int] = {}
        self._answered = 0
        handler: Any = remote._client._handler
        send, process = handler._send_request, handler._process_packet

        def sent(kind: Any, args: Any, waiter: Any) -> None:
            self._sent[handler._next_pktid] = self._answered + 1
            self.count = max(self.count, self._answered + 1)
            self.most = max(self.most, len(self._sent))
            send(kind, args, waiter)

        async def answered(kind: int, number: int, packet: Any) -> None:
            self._answered = max(self._answered, self._sent.pop(number))
            await process(kind, number, packet)

        handler._send_request, handler._process_packet = sent, answered
