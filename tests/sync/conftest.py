"""What every test of the blocking façade gets: no task of another test, and none left."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.sync import Task, task_cleanup, task_self
from tests.sshd import OpenSSHServer


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


@pytest.fixture
def ssh_nodes(sshd: OpenSSHServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Nodes that a user's own configuration knows the way to."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(Path(sshd.files.ssh_config).read_text())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return sshd.nodes[:2]
