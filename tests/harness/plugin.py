"""The pytest side of the harness: ``--loop``, ``blocks_loop``, and the checks round every test.

``--loop`` uses the hook ``pytest_asyncio_loop_factories``, which pytest-asyncio has since 1.4. Before,
the loop was chosen by the fixture ``event_loop_policy``; that still works on 1.5 but warns, as policies
themselves do on Python 3.14.

The order matters and comes from the fixtures' dependencies: the snapshot for leaks is taken before the
function's loop is made and compared after it is closed; tasks are looked for when all other fixtures of
the test are gone, on the loop, before it closes.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import pytest_asyncio

from tests.harness.leaks import KEPT_THREADS, Snapshot, unfinished
from tests.harness.stalls import Stall, StallDetector

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LoopScope = Literal["function", "class", "module", "package", "session"]
_SCHEDULER_BOOKS = Path("/proc/thread-self/schedstat")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--loop``."""
    parser.addoption(
        "--loop",
        choices=("asyncio", "uvloop"),
        default="asyncio",
        help="the event loop that async tests and fixtures run on",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers."""
    config.addinivalue_line(
        "markers", "blocks_loop(reason): the test has to block the event loop; the detector is off"
    )
    config.addinivalue_line(
        "markers", "one_loop(reason): what it tests is no matter of the loop; it runs on the stock one alone"
    )


def pytest_report_header(config: pytest.Config) -> str:
    """Say which loop it is."""
    return f"event loop: {config.getoption('--loop')}"


def pytest_asyncio_loop_factories(config: pytest.Config) -> Mapping[str, LoopFactory]:
    """Tell pytest-asyncio how to make the loop of a test."""
    name: str = config.getoption("--loop")
    if name == "asyncio":
        return {name: asyncio.new_event_loop}
    import uvloop

    return {name: uvloop.new_event_loop}


def pytest_sessionstart() -> None:
    """Have libuv open the pipe for signals that it keeps for the whole process."""
    try:
        import uvloop
    except ImportError:
        return
    uvloop.new_event_loop().close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On another loop than the stock one, leave out what has no loop, or says that it does not matter."""
    if config.getoption("--loop") == "asyncio":
        return
    again = [item for item in items if _depends_on_the_loop(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _depends_on_the_loop(item)])
    items[:] = again


def _depends_on_the_loop(item: pytest.Item) -> bool:
    return item.get_closest_marker("asyncio") is not None and item.get_closest_marker("one_loop") is None


@pytest.fixture(autouse=True, scope="module")
def garbage_out_of_sight() -> None:
    """Take what exists by now, test items and reports above all, out of the garbage collector's sight.

    Else a full collection takes tens of milliseconds, and the block detector sees it.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves descriptors, processes or threads behind."""
    scope = _loop_scope(request)
    kept = scope not in {None, "function"}
    if kept:
        # A loop that outlives the test has to be there before the snapshot.
        request.getfixturevalue(f"_{scope}_loop_is_open")
    before = Snapshot.take()
    yield
    _fail_for("the test left behind", before.left_behind(request.node.nodeid, loop_is_kept=kept))


@pytest.fixture(autouse=True)
def loop_watched(request: pytest.FixtureRequest, nothing_left_behind: None) -> None:
    """Have an async test's loop watched, in the scope that the loop has."""
    if scope := _loop_scope(request):
        request.getfixturevalue(f"_{scope}_loop_is_watched")


def _fixtures_for(scope: LoopScope) -> dict[str, object]:
    """The fixtures that run on the loop of one scope; each needs functions of its own."""
    open_name, watched_name = f"_{scope}_loop_is_open", f"_{scope}_loop_is_watched"

    @pytest_asyncio.fixture(name=open_name, scope=scope, loop_scope=scope)
    async def is_open() -> None:
        # Each loop names the threads of its default executor in its own way; these are to be known.
        executor = ThreadPoolExecutor(thread_name_prefix=KEPT_THREADS)
        asyncio.get_running_loop().set_default_executor(executor)

    @pytest_asyncio.fixture(name=watched_name, loop_scope=scope)
    async def is_watched(request: pytest.FixtureRequest, nothing_left_behind: None) -> AsyncIterator[None]:
        tasks = asyncio.all_tasks()
        with _detector(request) as stalls:
            yield
        _fail_for("the test left behind", await unfinished(tasks))
        _fail_for("nothing may block the loop for 50 ms", [str(stall) for stall in stalls])

    return {open_name: is_open, watched_name: is_watched}


for _scope in get_args(LoopScope):
    globals().update(_fixtures_for(_scope))


@contextmanager
def _detector(request: pytest.FixtureRequest) -> Iterator[list[Stall]]:
    """Watch the running loop; the stalls are complete when the block has ended."""
    if request.node.get_closest_marker("blocks_loop") or not _SCHEDULER_BOOKS.exists():
        yield []
        return
    detector = StallDetector(asyncio.get_running_loop())
    detector.start()
    try:
        yield detector.stalls
    finally:
        detector.stop()


def _loop_scope(request: pytest.FixtureRequest) -> str | None:
    """The scope of the test's loop; None for a test that is not async."""
    if not pytest_asyncio.is_async_test(request.node):
        return None
    marker = request.node.get_closest_marker("asyncio")
    default: Any = request.config.getini("asyncio_default_test_loop_scope")
    return str(marker.kwargs.get("loop_scope", default) if marker else default)


def _fail_for(title: str, findings: list[str]) -> None:
    if findings:
        pytest.fail("\n  ".join([f"{title}:", *findings]), pytrace=False)
