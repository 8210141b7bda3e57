"""The measured process of a library row: `python -m benchmarks.runner MODULE PREPARE PARAMS`.

PREPARE imports what the work needs and returns the work and its check. Only the work is measured; the
check is given what the work returned, raises when something is missing, and returns facts for the table.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import pkgutil
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from time import perf_counter
from typing import Any

Check = Callable[[Any], Mapping[str, float]]
Prepared = tuple[Callable[[], Any], Check]

_NOT_PRELOADED = ("asynctask.cli", "asynctask.testing", "asynctask.__main__", "asynctask.sync")


def on_loop(loop: str, main: Callable[[], Coroutine[Any, Any, Any]]) -> Callable[[], Any]:
    """Return a call that runs `main` on a fresh loop: "stock" or "uvloop"."""
    run = asyncio.run if loop == "stock" else importlib.import_module("uvloop").run
    return lambda: run(main())


Pause = Callable[[Any], Coroutine[Any, Any, None]]


class Warm:
    """Work that goes on where a warm-up has stopped, on the same loop; `main` awaits `pause` in between.

    The loop stands still from one pause to the next call. What is given to `pause` is what the call returns.
    """

    def __init__(self, loop: str, main: Callable[[Pause], Coroutine[Any, Any, None]]) -> None:
        factory = None if loop == "stock" else importlib.import_module("uvloop").new_event_loop
        self._runner = asyncio.Runner(loop_factory=factory)
        self._main = main
        self._going: asyncio.Task[None] | None = None
        self._values: asyncio.Queue[Any] = asyncio.Queue()
        self._go_on = asyncio.Event()

    def __call__(self) -> Any:
        """Go on to the next pause and return what it was given; `None` at the end."""
        return self._runner.run(self._until_pause())

    def close(self) -> None:
        """Let it come to its end, and close the loop."""
        self()
        self._runner.close()

    async def _until_pause(self) -> Any:
        if self._going is None:
            self._going = asyncio.create_task(self._main(self._pause))
        self._go_on.set()
        value = asyncio.create_task(self._values.get())
        await asyncio.wait([value, self._going], return_when=asyncio.FIRST_COMPLETED)
        if value.done():
            return value.result()
        value.cancel()
        return self._going.result()

    async def _pause(self, value: Any = None) -> None:
        self._go_on.clear()
        self._values.put_nowait(value)
        await self._go_on.wait()


def all_printed(count: int) -> Check:
    """Return a check of outputs: so many, none of them empty."""

    def check(outputs: Any) -> dict[str, float]:
        require(len([output for output in outputs if output.strip()]) == count, "output lost")
        return {"nodes": len(outputs)}

    return check


def second_time(loop: str, main: Callable[[Pause], Coroutine[Any, Any, None]], count: int) -> Prepared:
    """Measure what `main` does after its first pause; it gives the outputs of all nodes to both pauses."""
    outputs_there = all_printed(count)

    def check(outputs: Any) -> Mapping[str, float]:
        warm.close()
        return outputs_there(outputs)

    warm = Warm(loop, main)
    require(all(warm()), "the first command did not work")
    return warm, check


def load_ours() -> Any:
    """Import asynctask with the modules that it would load at first use, as a long-lived program has them."""
    package = importlib.import_module("asynctask")
    for module in pkgutil.walk_packages(package.__path__, "asynctask."):
        if not module.name.startswith(_NOT_PRELOADED):
            importlib.import_module(module.name)
    return package


def require(done: bool, missing: str) -> None:
    """Raise `RuntimeError` when the work was not done: a fast run that lost output is no result."""
    if not done:
        raise RuntimeError(missing)


def _memory(field: str) -> int:
    """Bytes of a `Vm*` line. Not `ru_maxrss`: a child inherits that from the process that started it."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def _measured(prepared: Prepared) -> dict[str, object]:
    work, check = prepared
    base = _memory("VmRSS")
    own, children, started = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN), perf_counter()
    result = work()
    wall = perf_counter() - started
    own_after, children_after = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    peak = _memory("VmHWM") - base
    return {
        "wall": wall,
        "cpu_self": own_after.ru_utime + own_after.ru_stime - own.ru_utime - own.ru_stime,
        "cpu_children": children_after.ru_utime
        + children_after.ru_stime
        - children.ru_utime
        - children.ru_stime,
        "peak": peak,
        "facts": dict(check(result)),
    }


def _main() -> None:
    module, prepare, params = sys.argv[1:]
    report = os.dup(1)
    os.dup2(2, 1)
    prepared: Prepared = getattr(importlib.import_module(f"benchmarks.{module}"), prepare)(
        **json.loads(params)
    )
    os.write(report, json.dumps(_measured(prepared)).encode())


if __name__ == "__main__":
    _main()
