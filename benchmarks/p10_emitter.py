"""P10: publish to one subscriber, delivered by the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.measure import run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module
from benchmarks.runner import Prepared, on_loop, require

_TOPIC = "proc.web.exit"
_LOOPS = ("uvloop", "stock")


class _Counter:
    """A listener that knows when it has heard everything, in order."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.heard = 0
        self.done = asyncio.Event()

    def hear(self, topic: str, number: int) -> None:
        """An event."""
        if number == self.heard:
            self.heard += 1
        if self.heard == self._count:
            self.done.set()


Publish = Callable[[int], object]
Open = Callable[[Callable[[str, int], None]], Publish]


def _prepared(loop: str, count: int, open_publish: Open) -> Prepared:
    async def main() -> int:
        counter = _Counter(count)
        publish = open_publish(counter.hear)
        for number in range(count):
            publish(number)
        await counter.done.wait()
        return counter.heard

    def check(heard: int) -> dict[str, float]:
        require(heard == count, f"{heard} events in order instead of {count}")
        return {}

    return on_loop(loop, main), check


def emitter(loop: str, count: int) -> Prepared:
    """Ours: a queue, and one callback of the loop."""
    module = import_module("asynctask.emitter")

    def open_publish(listener: Callable[[str, int], None]) -> Publish:
        one: Any = module.EventEmitter(max_size=count)
        one.subscribe("proc.web", listener)
        return lambda number: one.publish(_TOPIC, number)

    return _prepared(loop, count, open_publish)


def call_soon(loop: str, count: int) -> Prepared:
    """The floor: nothing but a callback of the loop for each event."""

    def open_publish(listener: Callable[[str, int], None]) -> Publish:
        running = asyncio.get_running_loop()
        return lambda number: running.call_soon(listener, _TOPIC, number)

    return _prepared(loop, count, open_publish)


def pyee(loop: str, count: int) -> Prepared:
    """A peer: calls its listeners within ``emit``."""
    module = import_module("pyee.base")

    def open_publish(listener: Callable[[str, int], None]) -> Publish:
        one: Any = module.EventEmitter()
        one.on(_TOPIC, listener)
        return lambda number: one.emit(_TOPIC, _TOPIC, number)

    return _prepared(loop, count, open_publish)


def blinker(loop: str, count: int) -> Prepared:
    """A peer: calls its listeners within ``send``."""
    module = import_module("blinker")

    def open_publish(listener: Callable[[str, int], None]) -> Publish:
        one: Any = module.Signal()
        one.connect(listener)
        return lambda number: one.send(_TOPIC, number=number)

    return _prepared(loop, count, open_publish)


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Nothing to prepare."""
    count = 20_000 if quick else 200_000
    cost = Figure("µs an event", lambda sample: sample.wall / count * 1e6, ".2f", higher=False)
    memory = Figure("bytes peak an event", lambda sample: sample.peak / count, ".0f", higher=False)

    def contender(name: str, prepare: str, loop: str, module: str) -> Contender:
        return Contender(
            f"{name}, {loop}",
            lambda: run_library("p10_emitter", prepare, loop=loop, count=count),
            no_module(module, *(["uvloop"] if loop == "uvloop" else [])),
            ours=module == "asynctask",
        )

    contenders = [
        one
        for loop in _LOOPS
        for one in (
            contender("asynctask emitter", "emitter", loop, "asynctask"),
            contender("bare call_soon", "call_soon", loop, "asyncio"),
        )
    ]
    peers = [contender(name, name, "stock", name) for name in ("pyee", "blinker")]
    yield Row(
        key="P10",
        title=f"{count} x publish to one subscriber, delivered by the loop",
        contenders=[*contenders, *peers],
        figures=[cost, memory],
        budgets=[
            Budget(
                f"{loop}: ≤ 1x a bare call_soon an event",
                f"asynctask emitter, {loop}",
                cost,
                1.0,
                peer=f"bare call_soon, {loop}",
                at_least=False,
            )
            for loop in _LOOPS
        ],
        notes=[
            "All events are published in one turn of the loop; the listener checks their order.",
            "pyee and blinker call the listener within their `emit` and `send`: no queue, no bound, no loop.",
        ],
    )
