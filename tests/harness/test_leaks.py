"""The leak check finds what is left and waits for what is leaving."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.leaks import KEPT_THREADS, Snapshot, unfinished


def _left(before: Snapshot, request: pytest.FixtureRequest) -> list[str]:
    return before.left_behind(request.node.nodeid, grace=0)


@contextmanager
def _sleeping(environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A child that does nothing; it is killed in the end."""
    with subprocess.Popen(["sleep", "600"], env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def test_nothing_is_left_by_nothing(request: pytest.FixtureRequest) -> None:
    """What was there before is nobody's leak."""
    with _sleeping():
        assert _left(Snapshot.take(), request) == []


def test_a_descriptor_is_found(request: pytest.FixtureRequest) -> None:
    """With what it points to."""
    before = Snapshot.take()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    left = _left(before, request)
    os.close(descriptor)

    assert left == [f"descriptor {descriptor} -> /dev/null"]
    assert _left(before, request) == []


def test_a_child_is_found(request: pytest.FixtureRequest) -> None:
    """With its command and state; also without the test's name in its environment."""
    before = Snapshot.take()
    with _sleeping(environment={}) as child:
        (left,) = _left(before, request)

    assert left.startswith(f"process {child.pid} (sleep 600), state ")
    assert _left(before, request) == []


def test_a_child_that_nobody_waited_for_is_found(request: pytest.FixtureRequest) -> None:
    """A zombie is a leak as well."""
    before = Snapshot.take()
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    left = _left(before, request)
    child.wait()

    assert left == [f"process {child.pid} (true), state Z"]


def test_an_orphan_is_found_by_its_environment(request: pytest.FixtureRequest) -> None:
    """A grandchild whose parent has ended belongs to init, and still to the test."""
    before = Snapshot.take()
    shell = ["sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", "sleep", "600"]
    orphan = int(subprocess.run(shell, capture_output=True, check=True).stdout)
    (left,) = _left(before, request)
    os.kill(orphan, signal.SIGKILL)

    assert left.startswith(f"process {orphan} (")
    assert before.left_behind(request.node.nodeid) == []


def test_the_processes_of_others_do_not_count(request: pytest.FixtureRequest) -> None:
    """What merely runs on the same machine is no leak."""
    before = Snapshot.take()
    shell = ["sh", "-c", '"$@" >/dev/null 2>&1 & echo $!', "sh", "env", "-i", "sleep", "600"]
    stranger = int(subprocess.run(shell, capture_output=True, check=True).stdout)
    while "PYTEST_CURRENT_TEST" in _environment(stranger):
        os.sched_yield()  # until it is past its exec
    left = _left(before, request)
    os.kill(stranger, signal.SIGKILL)

    assert left == []


def _environment(pid: int) -> str:
    return Path(f"/proc/{pid}/environ").read_text()


def test_a_thread_is_found(request: pytest.FixtureRequest) -> None:
    """By its name."""
    before = Snapshot.take()
    end = threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten", daemon=True)
    thread.start()
    left = _left(before, request)
    end.set()
    thread.join()

    assert left == ["thread 'forgotten' (daemon)"]


@pytest.mark.parametrize(("kept", "left"), [(True, []), (False, ["thread 'kept-loop_0'"])])
def test_executor_threads_may_stay_while_their_loop_does(
    request: pytest.FixtureRequest, kept: bool, left: list[str]
) -> None:
    """They end with the loop, and only a loop of the test's own ends with the test."""
    before = Snapshot.take()
    with ThreadPoolExecutor(1, thread_name_prefix=KEPT_THREADS) as executor:
        executor.submit(int).result()

        assert before.left_behind(request.node.nodeid, loop_is_kept=kept, grace=0) == left


def test_what_is_about_to_end_is_waited_for(request: pytest.FixtureRequest) -> None:
    """The check itself gives the moment that some things need."""
    before = Snapshot.take()
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    timer = threading.Timer(0.02, end.set)
    timer.start()

    assert before.left_behind(request.node.nodeid) == []


async def test_a_pending_task_is_found() -> None:
    """With its name and where it stands."""
    before = asyncio.all_tasks()
    task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    left = await unfinished(before, grace=0)
    task.cancel()

    assert len(left) == 1
    assert left[0].startswith("task 'forgotten': <coroutine object Event.wait")
    assert await unfinished(before) == []
