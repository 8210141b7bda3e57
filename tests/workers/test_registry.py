"""Tests of asynctask.workers.registry."""

from __future__ import annotations

import pytest

from asynctask.errors import UsageError
from asynctask.workers.base import Worker
from asynctask.workers.exec import ExecWorker
from asynctask.workers.registry import WORKERS, copier_class, worker_class
from tests.support import Scripted


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_each_name_leads_to_the_class_of_that_name(name: str) -> None:
    """The table and the classes agree."""
    found = worker_class(name)
    assert issubclass(found, Worker)
    assert found.name == name


def test_the_names_that_people_know() -> None:
    """ClusterShell's names of the same things."""
    assert worker_class("exec") is ExecWorker
    assert worker_class("ssh").remote
    assert not ExecWorker.remote


@pytest.mark.parametrize(("name", "copier"), [("exec", None), ("ssh", None), ("openssh", "openssh-copy")])
def test_who_copies_for_whom(name: str, copier: str | None) -> None:
    """Files go the way that commands go."""
    assert worker_class(name).copier == copier


@pytest.mark.parametrize(("name", "copier"), [("ssh", "copy"), ("openssh", "openssh-copy")])
def test_the_class_that_copies(name: str, copier: str) -> None:
    """It is of the worker's kind."""
    assert copier_class(worker_class(name)).name == copier


def test_a_class_of_its_own_copies() -> None:
    """Anybody may write that, too."""

    class Mine(Scripted):
        copier = Scripted

    assert copier_class(Mine) is Scripted


def test_who_copies_nothing() -> None:
    """A worker without logins."""
    with pytest.raises(UsageError) as caught:
        copier_class(ExecWorker)
    assert str(caught.value) == "the worker 'exec' copies no files: give worker='ssh', or another that does"


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("stream", "make an asynctask.StreamWorker and schedule it"),
        ("copy", "use copy() or rcopy()"),
        ("openssh-copy", "use copy() or rcopy() with worker='openssh'"),
    ],
)
def test_who_runs_no_command(name: str, instead: str) -> None:
    """The message says what to do."""
    with pytest.raises(UsageError) as caught:
        worker_class(name)
    assert str(caught.value) == f"the worker {name!r} runs no command: {instead}"


def test_a_class_is_taken_as_it_is() -> None:
    """Anybody may write a worker."""
    assert worker_class(Scripted) is Scripted


@pytest.mark.parametrize("name", ["", "EXEC", "rsh", "asynctask.workers.exec"])
def test_an_unknown_name_is_refused(name: str) -> None:
    """The message has the names that there are."""
    with pytest.raises(UsageError) as caught:
        worker_class(name)
    assert str(caught.value) == f"unknown worker {name!r}: choose one of exec, openssh, ssh, or give a class"


@pytest.mark.parametrize("worker", [None, 5, int, object()])
def test_what_is_no_worker_is_refused(worker: object) -> None:
    """Neither a name nor a subclass."""
    with pytest.raises(UsageError) as caught:
        worker_class(worker)  # type: ignore[arg-type]
    assert str(caught.value) == f"worker={worker!r}: a name or a subclass of asynctask.Worker"
