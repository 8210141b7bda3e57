"""Lines of a control socket."""

from __future__ import annotations

import pytest

from asynctask._version import __version__
from asynctask.errors import LaunchError, ManagerError, TaskStateError, TemplateNotFoundError, UsageError
from asynctask.manager.checks import FieldError
from asynctask.manager.control import protocol
from asynctask.manager.control.protocol import Cancel, Request, decode, encode, error_of, failure, request_of
from tests.support import refused

_RESTART = f"version 1 (asynctask {__version__}): restart it, or use its own command"

pytestmark = pytest.mark.one_loop("pure functions")


def test_a_message_is_a_line() -> None:
    """Whatever it says."""
    message = {"line": "a\nb\u2028\ud800", "n": 1}
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode(line) == message


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"3", b"null", b"\xff", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000]
)
def test_a_line_that_says_nothing(line: bytes) -> None:
    """It is no JSON, or no object."""
    refused(UsageError, "no JSON object in a line", lambda: decode(line))


@pytest.mark.parametrize(
    ("message", "request_"),
    [
        ({"do": "status"}, Request(None, "status", False, {})),
        ({"v": 1, "id": 7, "do": "info", "params": {"name": "a"}}, Request(7, "info", False, {"name": "a"})),
        ({"id": "x", "follow": "events", "params": None}, Request("x", "events", True, {})),
        ({"cancel": 7}, Cancel(7)),
    ],
)
def test_requests(message: dict[str, object], request_: object) -> None:
    """What clients may say."""
    assert request_of(message) == request_


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, 'a request has either "do" or "follow"'),
        ({"do": "a", "follow": "b"}, 'a request has either "do" or "follow"'),
        ({"do": 3}, '"do" is the name of what is asked for, not 3'),
        ({"do": "a", "params": []}, '"params" is an object, not []'),
        ({"do": "a", "id": 1.5}, "an id is a number or a string of at most 64 characters, not 1.5"),
        ({"do": "a", "id": True}, "an id is a number or a string of at most 64 characters, not true"),
        (
            {"cancel": "x" * 65},
            f'an id is a number or a string of at most 64 characters, not "{"x" * 56}...',
        ),
        ({"v": 2, "do": "a"}, "this manager speaks version 1 of the protocol, and was asked in 2"),
        ({"v": [2], "do": "a"}, "this manager speaks version 1 of the protocol, and was asked in [2]"),
    ],
)
def test_requests_that_cannot_be_understood(message: dict[str, object], problem: str) -> None:
    """They are told so."""
    refused(UsageError, problem, lambda: request_of(message))


def test_a_manager_introduces_itself() -> None:
    """With the version of the protocol, which must be ours."""
    hello = protocol.hello("m", 42)
    assert hello == {"asynctask": 1, "version": __version__, "name": "m", "pid": 42}
    protocol.check_hello(hello)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({}, "who listens there is no manager of asynctask"),
        ({"error": {"type": "ManagerError", "text": "not you"}}, "not you"),
        (
            {"asynctask": 2, "version": "9.9"},
            f'the manager speaks version 2 of the protocol (asynctask "9.9"), and this is {_RESTART}',
        ),
    ],
)
def test_others_introduce_themselves(message: dict[str, object], problem: str) -> None:
    """They are told apart."""
    refused(ManagerError, problem, lambda: protocol.check_hello(message))


@pytest.mark.parametrize(
    ("error", "arrived"),
    [
        (UsageError("a"), UsageError("a")),
        (TemplateNotFoundError("a"), TemplateNotFoundError("a")),
        (LaunchError("cmd", "why"), ManagerError("cmd: why")),
        (TaskStateError("a"), ManagerError("a")),
        (ZeroDivisionError("a"), ManagerError("internal error: ZeroDivisionError: a")),
    ],
)
def test_errors_on_their_way(error: Exception, arrived: Exception) -> None:
    """Type and text, or the nearest type that the other side has."""
    there = error_of(failure(error))
    assert (type(there), str(there)) == (type(arrived), str(arrived))


def test_an_error_of_a_subclass() -> None:
    """It arrives as the nearest class that is known."""
    assert failure(FieldError(("umask",), "no"))["type"] == "TemplateError"


def test_an_error_that_cannot_be_understood() -> None:
    """It still is one."""
    assert str(error_of("what")) == 'an error that cannot be understood: "what"'
    assert type(error_of({"type": "SystemExit", "text": "a"})) is ManagerError
