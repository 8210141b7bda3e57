"""Tests of asynctask.errors."""

from __future__ import annotations

import copy
import pickle

import pytest

from asynctask import errors
from asynctask.errors import (
    AsyncTaskError,
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionRefusedByNodeError,
    EmptyTargetsError,
    GroupError,
    HandlerErrors,
    HostKeyError,
    NoCapacityError,
    NodeError,
    NodeSetError,
    PlaceholderError,
    RunFailed,
    SpawnError,
    SSHConfigError,
    TaskStateError,
    TaskTimeoutError,
    UsageError,
)
from asynctask.outcome import Outcome
from tests.support import made_result

NODE_ERRORS = [
    AuthenticationError,
    ConnectionFailedError,
    ConnectionLostError,
    ConnectionRefusedByNodeError,
    HostKeyError,
    NoCapacityError,
    NodeError,
    SpawnError,
]


def test_all_names_every_error_and_nothing_else() -> None:
    """What the module defines is what it offers, under one root."""
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert set(errors.__all__) == defined
    assert all(issubclass(getattr(errors, name), AsyncTaskError) for name in defined)


@pytest.mark.parametrize(
    ("error", "parents"),
    [
        (UsageError, (ValueError,)),
        (EmptyTargetsError, (UsageError,)),
        (NodeSetError, (UsageError,)),
        (GroupError, (NodeSetError,)),
        (PlaceholderError, (UsageError,)),
        (SSHConfigError, (UsageError,)),
        (TaskStateError, (RuntimeError,)),
        (TaskTimeoutError, (TimeoutError,)),
        (HandlerErrors, (ExceptionGroup,)),
        (ConnectionRefusedByNodeError, (ConnectionFailedError, NodeError)),
    ],
)
def test_an_error_is_also_the_builtin_that_fits(error: type[Exception], parents: tuple[type, ...]) -> None:
    """Who catches the builtin catches ours."""
    assert all(issubclass(error, parent) for parent in parents)


@pytest.mark.parametrize("kind", NODE_ERRORS)
def test_a_node_error_names_node_reason_and_hint(kind: type[NodeError]) -> None:
    """The text is computed from the data."""
    error = kind("web7", "host key changed", "remove it")
    assert str(error) == "web7: host key changed; remove it"
    assert (error.node, error.reason, error.hint) == ("web7", "host key changed", "remove it")


def test_a_node_error_without_hint_has_no_semicolon() -> None:
    """An empty hint leaves no trace in the text."""
    assert str(NodeError("web7", "gone")) == "web7: gone"


@pytest.mark.parametrize("kind", NODE_ERRORS)
def test_a_node_error_survives_a_copy_and_a_pickle(kind: type[NodeError]) -> None:
    """What a worker emits is plain data that can travel."""
    error = kind("web7", "gone", "look")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is kind
        assert str(other) == "web7: gone; look"


def test_a_timeout_says_how_long_and_what_there_is() -> None:
    """The error of a run that was too slow carries the result."""
    result = made_result(
        [
            ("a", Outcome.OK, 0, b""),
            ("b1", Outcome.TIMED_OUT, None, b""),
            ("b2", Outcome.TIMED_OUT, None, b""),
        ]
    )
    error = TaskTimeoutError(0.5, result)
    assert str(error) == "the run did not end within 0.5 s: 1 ok, 2 timed out (b[1-2])"
    assert error.result is result
    assert error.timeout == 0.5


def test_run_failed_says_who_failed() -> None:
    """Its text is the summary of the result that it carries."""
    result = made_result([("a", Outcome.OK, 0, b""), ("b", Outcome.FAILED, 3, b"")])
    error = RunFailed(result)
    assert str(error) == "1 ok, 1 failed (b)"
    assert error.result is result


def test_handler_errors_are_an_exception_group_with_the_result() -> None:
    """All exceptions are in it, and its text counts them."""
    result = made_result([])
    first, second = ValueError("one"), KeyError("two")
    group = HandlerErrors("handlers raised", [first, second], result)
    assert group.exceptions == (first, second)
    assert group.result is result
    assert str(group) == "handlers raised (2 sub-exceptions)"


def test_handler_errors_can_be_told_apart_with_except_star() -> None:
    """The parts of a split group keep type and result."""
    result = made_result([])
    parts: list[HandlerErrors] = []
    try:
        raise HandlerErrors("handlers raised", [ValueError("one"), KeyError("two")], result)
    except* ValueError as group:
        assert isinstance(group, HandlerErrors)
        parts.append(group)
    except* KeyError as group:
        assert isinstance(group, HandlerErrors)
        parts.append(group)
    assert [[str(exc) for exc in part.exceptions] for part in parts] == [["one"], ["'two'"]]
    assert all(part.result is result for part in parts)
