"""Listeners for the tests of the emitter."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ("Blocked", "Log")


class Log:
    """A listener that writes down what it hears: the topic, and the arguments if there are any."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, topic: str, *args: Any) -> None:
        self.events.append((topic, *args) if args else topic)


class Blocked:
    """An async listener that stays in each call until it may leave."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.ended: list[str] = []
        self.leave = asyncio.Semaphore(0)

    async def __call__(self, topic: str, *args: Any) -> None:
        self.events.append((topic, *args) if args else topic)
        try:
            await self.leave.acquire()
        except asyncio.CancelledError:
            self.ended.append("cancelled")
            raise
        self.ended.append(topic)
