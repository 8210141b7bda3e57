"""Whether the process that carries out a run still does."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from asynctask.cli.past.controller import Controller

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def test_this_process_lives() -> None:
    """It is found again from what is on record."""
    me = Controller.from_text(Controller.me().text())

    assert me == Controller.me()
    assert me.pid == os.getpid()
    assert me.lives() is True


def test_a_process_that_has_ended_does_not() -> None:
    """Also while its parent has not asked how it ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        controller = replace(Controller.me(), pid=child.pid, birth=_birth_of(child.pid))
        assert controller.lives() is True
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert controller.lives() is False

    assert controller.lives() is False


@pytest.mark.parametrize(
    ("change", "lives"),
    [
        ({"birth": 1}, False),  # another process with its number
        ({"boot": "before"}, False),
        ({"space": "pid:[1]"}, None),  # a container
        ({"host": "elsewhere"}, None),
        ({"birth": 0}, True),  # where that is not told
        ({"birth": 0, "pid": 2**22 + 1}, False),
    ],
)
def test_others(change: dict[str, object], lives: bool | None) -> None:
    """A number alone says little: which machine, since when, and among which processes."""
    assert replace(Controller.me(), **change).lives() is lives  # type: ignore[arg-type]


def test_where_the_kernel_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without /proc has the number alone."""
    from pathlib import Path

    from asynctask.cli.past import controller

    monkeypatch.setattr(controller, "_BOOT", Path("/nowhere"))
    monkeypatch.setattr(controller, "_birth", lambda pid: None)
    monkeypatch.setattr(controller, "_space", str)

    me = Controller.me()

    assert (me.boot, me.space, me.birth) == ("", "", 0)
    assert me.lives() is True


def _birth_of(pid: int) -> int:
    from asynctask.cli.past.controller import _birth

    birth = _birth(pid)
    assert birth is not None
    return birth
