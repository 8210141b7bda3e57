"""A connection that answers as a test says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from asynctask.manager.control.client import Client

__all__ = ("FakeClient", "process")


class FakeClient:
    """Answers what it was given, and writes down what was asked."""

    def __init__(self, answers: Mapping[str, Any] | None = None, items: Sequence[Any] = ()) -> None:
        self.answers = answers or {}
        self.items = items
        self.asked: list[tuple[str, Mapping[str, Any]]] = []
        self.has_more = False

    @property
    def client(self) -> Client:
        """As what it stands for."""
        return cast("Client", self)

    def call(self, operation: str, params: Mapping[str, Any] | None = None) -> Any:
        self.asked.append((operation, params or {}))
        return self.answers[operation]

    def stream(self, name: str, params: Mapping[str, Any] | None = None) -> Iterator[Any]:
        self.asked.append((name, params or {}))
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield item


def process(name: str, index: int, node: str | None = None, **said: Any) -> dict[str, Any]:
    """A process as a manager tells of it."""
    return {
        "name": name,
        "index": index,
        "node": node,
        "pid": 10 * index + 10,
        "state": "running",
        "connected": True,
        "reason": None,
        "retry_in": None,
        "last_exit": None,
        **said,
    }
