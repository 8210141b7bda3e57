"""P12: a large tree of files: start, a look at it, and how soon a new file is known."""

from __future__ import annotations

import asyncio
import math
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns, process_time
from typing import Any

from benchmarks.measure import Sample, run_library
from benchmarks.rows import Budget, Contender, Figure, Row, no_module
from benchmarks.runner import Prepared, on_loop, require

_IN_ONE = 100
"""Files in one directory."""
_EVERY = 0.3
"""Seconds between two looks of what looks."""
_IDLE = 1.0
"""Seconds without a change, of which the CPU time is shown."""
_LOOKS = 3

# Another process writes, as in life. What it writes is when it began to; the clock is the machine's.
_WRITER = """
import sys, time
place, count, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
for number in range(count):
    time.sleep(pause)
    with open(f"{place}/new-{number}", "w") as file:
        began = time.perf_counter_ns()
        file.write(f"{began}\\n")
"""

Batches = AsyncGenerator[list[str], None]


async def _delays(root: str, changes: Batches, count: int, pause: float, facts: dict[str, float]) -> None:
    """Take the time from each new file to its event."""
    idle = asyncio.create_task(_first(changes))
    await asyncio.sleep(0.1)
    began = process_time()
    await asyncio.sleep(_IDLE)
    facts["idle"] = (process_time() - began) / _IDLE * 100
    with _writer(f"{root}/d0000", count, pause):
        async with asyncio.timeout(60 + count * pause):
            facts["delay"] = median(await _each(changes, await idle, count))


async def _each(changes: Batches, batch: list[str], count: int) -> list[float]:
    delays: dict[str, float] = {}
    while True:
        now = perf_counter_ns()
        for path in batch:
            if "/new-" in path and path not in delays and (began := _began(path)):
                delays[path] = (now - began) / 1e6
        if len(delays) >= count:
            return list(delays.values())
        batch = await _first(changes)


def _began(path: str) -> int:
    """When the file was written; 0 for one that is not whole yet."""
    text = Path(path).read_text(encoding="ascii")
    return int(text) if text.endswith("\n") else 0


@contextmanager
def _writer(place: str, count: int, pause: float) -> Iterator[None]:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, place, str(count), str(pause)])
    try:
        yield
    finally:
        writer.kill()
        writer.wait()
        for left in Path(place).glob("new-*"):
            left.unlink()


async def _first(changes: Batches) -> list[str]:
    return await anext(changes)


def asynctask_poller(loop: str, root: str, kind: str, count: int, pause: float, every: float) -> Prepared:
    """Ours: `kind` is file or inotify."""
    name = {"file": "FilePoller", "inotify": "INotifyPoller"}[kind]
    make: Any = getattr(import_module(f"asynctask.pollers.{kind}"), name)

    async def main() -> dict[str, float]:
        facts: dict[str, float] = {}
        async with make(root, recurse=True) as poller:
            began = perf_counter()
            await poller.start()
            facts["start"] = perf_counter() - began
            if kind == "file":
                facts["scan"] = await _looks(poller)

            async def batches() -> Batches:
                async for changes in poller.watch(interval=every):
                    yield [change.path for change in changes]

            async with aclosing(batches()) as changes:
                await _delays(root, changes, count, pause, facts)
        return facts

    return on_loop(loop, main), dict


async def _looks(poller: Any) -> float:
    times = []
    for _ in range(_LOOKS):
        began = perf_counter()
        require(await poller.get_new_events() == [], "changes where there were none")
        times.append(perf_counter() - began)
    return min(times)


def watchfiles(loop: str, root: str, polling: bool, count: int, pause: float, every: float) -> Prepared:
    """Its quickest settings when it is told; when it polls, the pause is given."""
    library: Any = import_module("watchfiles")

    async def main() -> dict[str, float]:
        facts: dict[str, float] = {}
        ready = threading.Event()

        async def batches() -> Batches:
            began = perf_counter()
            watcher = await asyncio.to_thread(
                lambda: library._rust_notify.RustNotify(
                    [root], False, polling, int(every * 1000), True, False
                )
            )
            with watcher:
                facts["start"] = perf_counter() - began
                while not ready.is_set():
                    found = await asyncio.to_thread(watcher.watch, 1, 1, 500, ready)
                    if isinstance(found, set):
                        yield [path for _, path in found]

        async with aclosing(batches()) as changes:
            try:
                await _delays(root, changes, count, pause, facts)
            finally:
                ready.set()
        return facts

    return on_loop(loop, main), dict


def watchdog(loop: str, root: str, polling: bool, count: int, pause: float, every: float) -> Prepared:
    """Its observer's thread hands events to the loop."""
    events: Any = import_module("watchdog.events")
    if polling:
        observer_of: Any = import_module("watchdog.observers.polling").PollingObserver
    else:
        observer_of = import_module("watchdog.observers.inotify").InotifyObserver

    async def main() -> dict[str, float]:
        facts: dict[str, float] = {}
        queue: asyncio.Queue[list[str]] = asyncio.Queue()
        running = asyncio.get_running_loop()

        class Handler(events.FileSystemEventHandler):  # type: ignore[misc]
            def on_any_event(self, event: Any) -> None:
                if event.event_type in {"created", "closed"} and not event.is_directory:
                    running.call_soon_threadsafe(queue.put_nowait, [event.src_path])

        async def batches() -> Batches:
            while True:
                yield await queue.get()

        observer = observer_of(timeout=every) if polling else observer_of()
        observer.schedule(Handler(), root, recursive=True)
        began = perf_counter()
        await asyncio.to_thread(observer.start)
        facts["start"] = perf_counter() - began
        try:
            async with aclosing(batches()) as changes:
                await _delays(root, changes, count, pause, facts)
        finally:
            observer.stop()
            await asyncio.to_thread(observer.join)
        return facts

    return on_loop(loop, main), dict


def plain(root: str) -> Prepared:
    """The floor under a look: nothing but the system's calls."""

    def walk() -> dict[str, float]:
        times = []
        for _ in range(_LOOKS):
            began = perf_counter()
            waiting = [root]
            while waiting:
                with os.scandir(waiting.pop()) as entries:
                    for entry in entries:
                        entry.stat(follow_symlinks=False)
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
            times.append(perf_counter() - began)
        return {"scan": min(times)}

    return walk, dict


def _make_tree(root: Path, files: int) -> None:
    for number in range(files // _IN_ONE):
        directory = root / f"d{number:04}"
        directory.mkdir(parents=True)
        for each in range(_IN_ONE):
            os.close(os.open(directory / f"f{each:02}", os.O_WRONLY | os.O_CREAT, 0o644))


def _fact(name: str) -> Callable[[Sample], float]:
    return lambda sample: sample.facts.get(name, math.nan)


@contextmanager
def open_row(scratch: Path, quick: bool) -> Iterator[Row]:
    """Make the tree."""
    files = 5000 if quick else 100_000
    root = scratch / "tree"
    _make_tree(root, files)
    told: dict[str, Any] = {"root": str(root), "count": 10 if quick else 50, "pause": 0.02, "every": 1.0}
    looking: dict[str, Any] = {"root": str(root), "count": 2 if quick else 4, "pause": 1.0, "every": _EVERY}
    delay = Figure("ms from a new file to its event", _fact("delay"), ".2f", higher=False)
    scan = Figure("ms a look", lambda sample: _fact("scan")(sample) * 1000, ".0f", higher=False)
    start = Figure("ms to start", lambda sample: _fact("start")(sample) * 1000, ".0f", higher=False)
    idle = Figure("% of a core while idle", _fact("idle"), ".1f", higher=False)
    cpu = Figure("s CPU in all", lambda sample: sample.cpu_self, ".2f", higher=False)

    def contender(name: str, prepare: str, *modules: str, ours: bool = False, **params: Any) -> Contender:
        return Contender(
            name,
            lambda: run_library("p12_pollers", prepare, **params),
            no_module(*modules),
            ours=ours,
        )

    def ours(kind: str, loop: str, **params: Any) -> Contender:
        name = f"asynctask {kind}, {loop}"
        modules = ["asynctask", *(["uvloop"] if loop == "uvloop" else [])]
        return contender(name, "asynctask_poller", *modules, ours=True, loop=loop, kind=kind, **params)

    def peer(name: str, polling: bool, **params: Any) -> Contender:
        how = f"polling every {_EVERY:g} s" if polling else "inotify"
        return contender(f"{name} {how}", name, name, loop="stock", polling=polling, **params)

    inotify = [ours("inotify", loop, **told) for loop in ("uvloop", "stock")]
    file = ours("file", "stock", **looking)
    floor = contender("scandir and stat, nothing else", "plain", root=str(root))
    yield Row(
        key="P12",
        title=f"{files} files in {files // _IN_ONE} directories are watched",
        contenders=[
            *inotify,
            peer("watchdog", False, **told),
            peer("watchfiles", False, **told),
            file,
            peer("watchdog", True, **looking),
            peer("watchfiles", True, **looking),
            floor,
        ],
        figures=[delay, scan, start, idle, cpu],
        budgets=[
            *(Budget(f"{one.name}: ≤ 1 ms", one.name, delay, 1.0, at_least=False) for one in inotify),
            Budget("a look ≤ 1.3x scandir and stat", file.name, scan, 1.3, peer=floor.name, at_least=False),
        ],
        notes=[
            "Another process writes the files; the delay counts from the write to the event in a coroutine.",
            "-: not a thing that this contender does, or shows.",
            f"What looks does so every {_EVERY:g} s, so half of that is to be expected.",
            "watchfiles has its quickest settings; its usual ones add 50 ms.",
            f"A look is the best of {_LOOKS}, nothing having changed.",
        ],
    )
