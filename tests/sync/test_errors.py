"""Tests of asynctask.sync.errors."""

from __future__ import annotations

import builtins
import importlib

import pytest

import asynctask.sync
from asynctask.errors import AsyncTaskError, HandlerErrors, TaskStateError, TaskTimeoutError
from asynctask.results import Result
from asynctask.sync import errors
from asynctask.sync.errors import as_raised

PARENTS = {
    "TaskException": (AsyncTaskError,),
    "TaskError": (errors.TaskException,),
    "TimeoutError": (errors.TaskError, TaskTimeoutError),
    "AlreadyRunningError": (errors.TaskError, TaskStateError),
    "TaskMsgTreeError": (errors.TaskError,),
    "WorkerException": (AsyncTaskError,),
    "WorkerError": (errors.WorkerException, TaskStateError),
    "EngineException": (AsyncTaskError,),
    "EngineAbortException": (errors.EngineException,),
    "EngineTimeoutException": (errors.EngineException,),
    "EngineIllegalOperationError": (errors.EngineException, TaskStateError),
    "EngineAlreadyRunningError": (errors.EngineIllegalOperationError,),
    "EngineNotSupportedError": (errors.EngineException,),
    "EngineClientException": (AsyncTaskError,),
    "EngineClientError": (errors.EngineClientException,),
    "EngineClientNotSupportedError": (errors.EngineClientError,),
}


@pytest.mark.parametrize("name", PARENTS)
def test_each_is_what_clustershell_and_asynctask_call_it(name: str) -> None:
    """A script that catches the parent catches it, and so does one that knows asynctask's."""
    assert getattr(errors, name).__bases__ == PARENTS[name]
    assert getattr(asynctask.sync, name) is getattr(errors, name)


def test_all_are_there() -> None:
    """The table above is complete."""
    assert sorted(PARENTS) == sorted(errors.__all__)


def test_clustershell_has_the_same_tree() -> None:
    """Where a script catches a parent there, it catches it here."""
    compared = 0
    for module in ("Task", "Engine.Engine", "Worker.EngineClient", "Worker.Worker"):
        found = vars(importlib.import_module(f"ClusterShell.{module}"))
        for name in errors.__all__:
            if name in found and found[name].__module__ == f"ClusterShell.{module}":
                assert _names(getattr(errors, name), errors.__name__) == _names(found[name], "ClusterShell.")
                compared += 1
    assert compared == len(errors.__all__)


def _names(error: type[BaseException], module: str) -> list[str]:
    return [each.__name__ for each in error.__mro__ if each.__module__.startswith(module)]


def test_the_timeout_is_the_builtin_one_too() -> None:
    """``except TimeoutError`` works without the import."""
    assert issubclass(errors.TimeoutError, builtins.TimeoutError)


def test_one_error_of_a_handler_is_raised_as_it_is() -> None:
    """Not in a group."""
    error = ValueError("mine")
    assert as_raised(HandlerErrors("handlers raised", [error], Result())) is error


def test_several_errors_of_handlers_stay_in_their_group() -> None:
    """None is more than the other."""
    group = HandlerErrors("handlers raised", [ValueError("a"), KeyError("b")], Result())
    assert as_raised(group) is group


def test_a_timeout_gets_the_name_that_scripts_know() -> None:
    """And keeps what it carries."""
    result = Result()
    raised = as_raised(TaskTimeoutError(2.5, result))
    assert isinstance(raised, errors.TimeoutError)
    assert (raised.timeout, raised.result) == (2.5, result)
    assert str(raised) == "the run did not end within 2.5 s: no targets"


def test_other_errors_stay_as_they_are() -> None:
    """They are raised where they were."""
    error = TaskStateError("no")
    assert as_raised(error) is error
