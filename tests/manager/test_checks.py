"""Tests of asynctask.manager.checks; what each check lets through is in the tests of templates."""

from __future__ import annotations

import pytest

from asynctask.errors import TemplateError
from asynctask.manager import checks
from asynctask.manager.checks import FieldError

pytestmark = pytest.mark.one_loop("nothing here waits")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FieldError(("a",), "no"), "a: no"),
        (FieldError(("a", "b"), "no", 3), "a.b 3: no"),
        (FieldError(("a",), "no", None), "a None: no"),
        (FieldError(("a",), "no", "x", "here"), "here: a 'x': no"),
        (FieldError((), "no", where="here"), "here: no"),
        (FieldError(("a", "\x1b[1m\n"), "no"), "a.'\\x1b[1m\\n': no"),
        (FieldError(("a",), "no", "x" * 100), f"a '{'x' * 58}…: no"),
    ],
)
def test_the_text_of_an_error(error: FieldError, expected: str) -> None:
    """Where, the field, its value if it may be shown, the reason."""
    assert str(error) == expected
    assert isinstance(error, TemplateError)


def test_an_error_seen_from_outside() -> None:
    """The path becomes longer; a part of it can be put in the place of another."""
    error = FieldError(("log", "path"), "no", 3)

    assert str(error.inside("web", "stdout", instead=1)) == "web: stdout.path 3: no"
    assert str(error.inside("web", "all")) == "web: all.log.path 3: no"


@pytest.mark.parametrize(
    "value", ["80", "65535", "localhost:80", "10.0.0.1:80", "[::1]:80", "[fe80::1%eth0]:80", 80]
)
def test_addresses(value: object) -> None:
    """A port, or a host and a port."""
    assert checks.address(("tcp",), value) == str(value)


@pytest.mark.parametrize(
    "value", ["0", "65536", "http", "localhost:", ":80", "::1:80", "a/b:80", "a b:80", "8\u0660", 0]
)
def test_no_addresses(value: object) -> None:
    """The message says what one looks like."""
    with pytest.raises(FieldError) as caught:
        checks.address(("tcp",), value)
    assert str(caught.value) == f'tcp {str(value)!r}: a port from 1 to 65535 is needed, or "host:port"'


def test_a_hint_only_where_it_is_near() -> None:
    """Far off, there is none."""
    assert checks.nearest("comand", ["command"]) == "; did you mean 'command'?"
    assert checks.nearest("x", ["command"]) == ""
