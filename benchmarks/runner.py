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
