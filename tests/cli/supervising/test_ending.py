"""When there is nothing left to do, and the exit status."""

from __future__ import annotations

from typing import Any

import pytest

from asynctask.cli.supervising.ending import Ending, all_over, first_end, status_of
from asynctask.manager.information import ProcessInfo, TemplateInfo
from asynctask.manager.launching import Exit
from asynctask.manager.states import ProcessState
from tests.cli.supervising.fakes import info, process

pytestmark = pytest.mark.one_loop("nothing waits")

EXITED, FATAL, STOPPED = ProcessState.EXITED, ProcessState.FATAL, ProcessState.STOPPED


def over(code: int | None = 0, signal: int | None = None, **more: Any) -> ProcessInfo:
    """A process that has ended for good."""
    return process(state=EXITED, pid=None, exit_=Exit(code, signal), **more)


@pytest.mark.parametrize(
    ("templates", "status"),
    [
        ([info(over()), info(over(), over(index=1))], 0),
        ([info(over()), info(over(3))], 1),
        ([info(over(3), exit_codes={0, 3})], 0),
        ([info(over(None, 15))], 1),
        ([info(process(state=FATAL, pid=None)), info(over())], 1),
        ([info(over()), info(process(state=STOPPED), wanted=False, autostart=False)], 0),
    ],
)
def test_all_is_over(templates: list[TemplateInfo], status: int) -> None:
    """It went well if each ended as it should."""
    assert all_over(templates) == Ending("all processes have ended", status)


@pytest.mark.parametrize(
    "templates",
    [
        [],
        [info(over()), info(process())],
        [info(over(), process(index=1, state=ProcessState.BACKOFF))],
        [info(over()), info(process(state=STOPPED, pid=None), wanted=False)],
        [info(over(), process(state=STOPPED, pid=None))],
        [info(process(state=STOPPED), wanted=False, autostart=False)],
        [info(numprocesses=0)],
    ],
)
def test_something_goes_on(templates: list[TemplateInfo]) -> None:
    """Also what somebody has stopped by hand, and may start again."""
    assert all_over(templates) is None


def test_the_end_of_one_is_the_end_of_all() -> None:
    """With its exit status; that of others does not count."""
    other, web = info(over(5), name="other"), info(process(), over(3, index=1))
    assert first_end([other, web], {"web"}) == Ending("a process of web has ended", 3)
    assert first_end([other], {"web"}) is None
    assert first_end([info(process())], {"web"}) is None


def test_one_is_given_up() -> None:
    """There is no exit status to hand on."""
    assert first_end([info(process(state=FATAL, pid=None))], {"web"}) == Ending(
        "a process of web was given up", 1
    )


@pytest.mark.parametrize(
    ("exit_", "status"), [(None, 1), (Exit(None), 1), (Exit(0), 0), (Exit(7), 7), (Exit(None, 9), 137)]
)
def test_exit_statuses(exit_: Exit | None, status: int) -> None:
    """As a shell has them."""
    assert status_of(exit_) == status
