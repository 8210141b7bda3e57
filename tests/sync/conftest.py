"""What every test of the blocking façade gets: no task of another test, and none left."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from asynctask.sync import Task, task_cleanup, task_self


@pytest.fixture(autouse=True)
def _no_tasks_left() -> Iterator[None]:
    """Kill what tasks there are, with the threads that they have."""
    yield
    task_cleanup()
    gc.collect()
    assert not list(Task._all)


@pytest.fixture
def task() -> Task:
    """The task of the test's own thread."""
    return task_self()


@pytest.fixture
def other() -> Task:
    """A task with a thread of its own."""
    return Task()
