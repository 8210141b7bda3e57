"""Random sequences of calls: the emitter does what a simple model of it does."""

from __future__ import annotations

import re
from collections import deque
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from asynctask.emitter import EventEmitter
from tests.support import turns

_PATTERNS = st.sampled_from([".", "*", "a", "a.", "a.b", "a.*", "*.b", "a.*.c", "b"])
_TOPICS = st.sampled_from(["a", "b", "a.b", "a.c", "b.b", "a.b.c", "a.x.c", "ab"])
_LISTENERS = st.integers(0, 3)
_CALL = st.one_of(
    st.tuples(st.just("publish"), _TOPICS),
    st.tuples(st.just("subscribe"), _PATTERNS, _LISTENERS, st.booleans()),
    st.tuples(st.just("unsubscribe"), _PATTERNS, _LISTENERS, st.booleans()),
    st.tuples(st.just("unsubscribe_all"), _PATTERNS),
)
_TURN = st.just(("turn",))
_SIZE = 4


class _Model:
    """Lists, and no shortcut."""

    def __init__(self, reactions: list[Any]) -> None:
        self.heard: list[Any] = []
        self._queue: deque[tuple[str, int, list[list[Any]]]] = deque()
        self._alive: list[list[Any]] = []
        self._reactions = deque(reactions)
        self._published = 0

    def do(self, name: str, *args: Any) -> None:
        getattr(self, f"_{name}")(*args)

    def _publish(self, topic: str) -> None:
        self._published += 1
        targets = [one for one in self._alive if _matches(one[0], topic)]
        if targets:
            if len(self._queue) == _SIZE:
                self._queue.popleft()
            self._queue.append((topic, self._published, targets))

    def _subscribe(self, pattern: str, listener: int, once: bool) -> None:
        pattern = pattern if pattern == "." else pattern.rstrip(".")
        if not any(one[:3] == [pattern, listener, once] for one in self._alive):
            self._alive.append([pattern, listener, once, True])

    def _unsubscribe(self, pattern: str, listener: int, once: bool) -> None:
        pattern = pattern if pattern == "." else pattern.rstrip(".")
        self._end([one for one in self._alive if one[:3] == [pattern, listener, once]])

    def _unsubscribe_all(self, pattern: str) -> None:
        pattern = pattern if pattern == "." else pattern.rstrip(".")
        self._end([one for one in self._alive if one[0] == pattern])

    def _end(self, subscriptions: list[list[Any]]) -> None:
        for one in subscriptions:
            one[3] = False
            self._alive = [other for other in self._alive if other is not one]

    def _turn(self) -> None:
        while self._queue:
            topic, number, targets = self._queue.popleft()
            for one in targets:
                if not one[3]:
                    continue
                if one[2]:
                    self._end([one])
                self.heard.append((one[1], topic, number))
                if self._reactions:
                    self.do(*self._reactions.popleft())


def _matches(pattern: str, topic: str) -> bool:
    if pattern == ".":
        return True
    expression = re.escape(pattern).replace(r"\*", "[^.]+")
    return re.fullmatch(rf"{expression}(\..+)?", topic) is not None


class _Real:
    """The same with the emitter."""

    def __init__(self, reactions: list[Any]) -> None:
        self.heard: list[Any] = []
        self.emitter = EventEmitter(max_size=_SIZE)
        self._reactions = deque(reactions)
        self._published = 0
        self._listeners = [self._listener(number) for number in range(4)]

    def do(self, name: str, *args: Any) -> None:
        if name == "publish":
            self._published += 1
            self.emitter.publish(args[0], self._published)
        elif name == "unsubscribe_all":
            self.emitter.unsubscribe_all([args[0]])
        else:
            pattern, listener, once = args
            getattr(self.emitter, name)(pattern, self._listeners[listener], once)

    def _listener(self, place: int) -> Any:
        def listen(topic: str, number: int) -> None:
            self.heard.append((place, topic, number))
            if self._reactions:
                self.do(*self._reactions.popleft())

        return listen


@settings(max_examples=300)
@given(calls=st.lists(st.one_of(_CALL, _TURN), max_size=25), reactions=st.lists(_CALL, max_size=6))
async def test_what_is_heard_is_what_the_model_says(calls: list[Any], reactions: list[Any]) -> None:
    """Who hears which event, in which order; each listener may do something when it hears one."""
    model, real = _Model(reactions), _Real(reactions)
    async with real.emitter:
        for call in [*calls, ("turn",)]:
            model.do(*call)
            if call[0] == "turn":
                await turns(2)
            else:
                real.do(*call)
        assert real.heard == model.heard
