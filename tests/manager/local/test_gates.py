"""Tests of asynctask.manager.local.gates; how they are gone through is tested with the spawning."""

from __future__ import annotations

import errno
import marshal
import resource
import sys
from typing import Any

import pytest

from asynctask.errors import LaunchError
from asynctask.manager.local import gates
from asynctask.manager.local.accounts import Identity
from asynctask.manager.local.limits import limits_of
from asynctask.manager.local.programs import Program

LIMITS = limits_of({"core": 0, "nofile": 10})
JOE = Identity(1000, 100, (100, 7), "joe", "/home/joe")


def program(**fields: Any) -> Program:
    """A program with such fields."""
    return Program(**{"argv": ["prog", "arg"], "env": {"PATH": "/bin", "A": "1"}, **fields})


@pytest.mark.parametrize(
    ("fields", "gate"),
    [
        ({}, "none"),
        ({"identity": JOE, "cwd": "/", "umask": 0}, "none"),
        ({"env": {"a.b": "1"}}, "none"),
        ({"limits": LIMITS}, "shell"),
        ({"limits": LIMITS, "env": {"a.b": "1"}}, "python"),
        ({"limits": LIMITS, "identity": JOE}, "python"),
        ({"limits": LIMITS, "identity": Identity(gid=7)}, "python"),
        ({"custom_streams": ("data",)}, "python"),
    ],
)
def test_which_gate_is_needed(fields: dict[str, Any], gate: str) -> None:
    """None where subprocess does it, and the cheaper one where it will do."""
    needed = program(**fields)
    found = "python" if gates.needs_python(needed) else "shell" if gates.needs_shell(needed) else "none"
    assert found == gate


def test_where_limits_cannot_be_set_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process sets them itself."""
    monkeypatch.delattr(resource, "prlimit")
    assert gates.needs_python(program(limits=LIMITS))
    assert not gates.needs_python(program())


def test_the_shell_knows_whether_there_is_an_input() -> None:
    """Without one the program finds the end at once, as it would have without a gate."""
    assert gates.shell_argv(program(stdin=True))[2:] == [
        'read -r ASYNCTASK_GATE && exec "$@"',
        "sh",
        "prog",
        "arg",
    ]
    assert gates.shell_argv(program())[2] == 'read -r ASYNCTASK_GATE && exec "$@" </dev/null'


def test_the_order_has_everything() -> None:
    """As bytes: the Python may have another encoding."""
    ordered = gates.order_for_python(program(argv=["prög"], limits=LIMITS, identity=JOE), [8, 9])
    limits = [(limit.number, limit.soft, limit.hard) for limit in LIMITS]
    env = {b"PATH": b"/bin", b"A": b"1"}
    name = "prög".encode()
    assert marshal.loads(ordered) == ([b"/bin/" + name], [name], env, [8, 9], limits, 1000, 100, [100, 7])


def test_without_an_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python is built into another program."""
    assert gates.python_argv(5, 6)[-2:] == ["5", "6"]
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(LaunchError, match="they need a Python interpreter"):
        gates.python_argv(5, 6)


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (b"+exec %d" % errno.ENOENT, "prog: not found in PATH"),
        (b"user %d" % errno.EPERM, "user joe and group 100: not permitted: only root may run processes"),
        (b"limit1 0", "limit nofile=10: not permitted"),
        (b"start 0", "prog: the Python that was to place its descriptors has failed"),
        (b"", "prog: the Python that was to place its descriptors has failed"),
    ],
)
def test_what_has_failed(report: bytes, message: str) -> None:
    """The same words as without a gate."""
    with pytest.raises(LaunchError) as caught:
        gates.check_report(report, program(limits=LIMITS, identity=JOE))
    assert str(caught.value).startswith(message)


def test_what_has_not_failed() -> None:
    """The last word before it is executed, and nothing after that."""
    gates.check_report(b"+", program())
