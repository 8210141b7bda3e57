"""Who hears what: the targets of each topic, found once and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, ClassVar, Protocol

from asynctask.emitter.boxes import Box
from asynctask.emitter.topics import Node, PatternTree, parse_topic, written

__all__ = ("MOST_ROUTES", "Owner", "Registry", "Route", "Target")

#: How many topics are remembered. A program that makes up a topic for each event only loses the shortcut.
MOST_ROUTES = 4096


class Target:
    """What events are delivered to."""

    __slots__ = ("_box", "_parts", "deliver", "failed", "heard", "number", "once")

    passive: ClassVar[bool] = False
    """Whether delivering to it runs nobody's code. Those come first."""
    deliver: Callable[..., object] | None
    """Takes ``(topic, *args, **kwargs)``, and does not block. ``None``: it hears nothing any more."""
    heard: int
    """How many events were handed to it."""
    failed: int
    """How many calls of the listener raised."""
    once: bool
    """Whether it hears one event only."""

    def __init__(self, parts: tuple[str, ...], box: Box | None, once: bool = False) -> None:
        self._parts = parts
        self._box = box
        self.once = once
        self.heard = 0
        self.failed = 0
        self.number = 0
        self.deliver = None

    @property
    def pattern(self) -> str:
        """What it hears of."""
        return written(self._parts)

    @property
    def waiting(self) -> int:
        """How many events wait in its own queue."""
        return 0 if self._box is None else len(self._box)

    @property
    def dropped(self) -> int:
        """How many events its own queue dropped."""
        return 0 if self._box is None else self._box.dropped

    def cancel(self) -> None:
        """Hear nothing more."""
        raise NotImplementedError

    def retire(self) -> None:
        """Hear nothing more, but of what was delivered already."""
        self.cancel()

    def ended(self) -> None:
        """It hears nothing any more, and its last call has ended."""

    def returned(self, topic: str, result: object) -> None:
        """What a delivery has returned, if it is something."""


class Owner(Protocol):
    """What targets need of their emitter."""

    def _new_box(self, name: str) -> Box:
        """A box with the emitter's bound and policy."""

    def _box_added(self, target: Target) -> None:
        """A target that had no box has one now."""

    def _check_loop(self, call: str) -> None:
        """Refuse to be used from another loop."""

    def _failed(self, target: Target, topic: str, exc: BaseException) -> None:
        """A listener has raised."""

    def _forget(self, target: Target) -> None:
        """Publish nothing to it any more."""

    def _hand_over(self, target: Target) -> None:
        """Deliver at once what was published to a passive target."""

    def _room_made(self) -> None:
        """There is room in a strict box."""

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None] | None:
        """Start a task of the emitter; ``None`` when it is closed."""


class Route:
    """Where an event goes: the targets in the order of their subscription."""

    __slots__ = ("plain", "strict", "targets")

    def __init__(self, targets: tuple[Target, ...], strict: tuple[Box, ...] = ()) -> None:
        self.targets = targets
        self.strict = strict
        """The boxes in which a place has to be reserved."""
        self.plain = bool(targets) and not strict
        """Whether there is nothing to look after."""


class Registry:
    """The targets of an emitter."""

    def __init__(self) -> None:
        self.routes: dict[Any, Route] = {}
        self._shared: dict[tuple[Node[Target], ...], Route] = {}  # of topics that the same patterns match
        self._tree: PatternTree[Target] = PatternTree()
        self._last = 0

    def add(self, target: Target) -> None:
        """Events that are published from now on go to it."""
        self._last += 1
        target.number = self._last
        self._tree.add(target._parts, target)
        self.forget()

    def remove(self, target: Target) -> None:
        """Events that are published from now on do not go to it."""
        self._tree.remove(target._parts, target)
        self.forget()

    def route(self, topic: str) -> Route:
        """Who is to hear of a topic.

        Raises:
            UsageError: this is no topic.
        """
        parts = parse_topic(topic)
        known = self.routes.get(topic)
        if known is not None:
            return known
        if len(self.routes) >= MOST_ROUTES:
            self.forget()
        nodes = self._tree.match(parts)
        shared = self._shared.get(nodes)
        if shared is None:
            shared = self._shared[nodes] = _route_to(target for node in nodes for target in node.items)
        self.routes[topic] = shared
        return shared

    def forget(self) -> None:
        """Look up all routes again."""
        self.routes.clear()
        self._shared.clear()

    def clear(self) -> None:
        """Forget all targets."""
        self._tree.clear()
        self.forget()


def _route_to(targets: Iterable[Target]) -> Route:
    ordered = tuple(sorted(targets, key=lambda target: (not target.passive, target.number)))
    boxes = (target._box for target in ordered)
    return Route(ordered, tuple(box for box in boxes if box is not None and box.strict))
