"""Tests of asynctask.manager.local.guard_program."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import pytest

from asynctask.manager.local import guard_program as module
from asynctask.manager.local.guard_program import Ending, Watched, parse, seen_processes
from asynctask.manager.local.identity import start_time
from tests.manager.local.detaching import is_living

pytestmark = pytest.mark.one_loop("it has none")

MARK = b"ASYNCTASK_GUARD=of-this-test"


class Started:
    """A process that says that it is ready."""

    def __init__(self, script: str, *, marked: bool = False) -> None:
        env = {**os.environ, "ASYNCTASK_GUARD": "of-this-test"} if marked else None
        argv = ["sh", "-c", script]
        self.popen = subprocess.Popen(argv, stdout=subprocess.PIPE, env=env, start_new_session=True)
        assert self.popen.stdout is not None
        self.said = self.popen.stdout.readline().strip().decode()

    @property
    def start(self) -> int:
        """When."""
        found = start_time(self.popen.pid)
        assert found is not None
        return found

    def watched(self, number: int = signal.SIGTERM, grace: float = 5.0, start: int | None = None) -> Watched:
        """As the guard is told."""
        return Watched(self.popen.pid, self.start if start is None else start, number, grace)

    def close(self) -> None:
        """End it."""
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        if self.popen.poll() is None:
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Started]]:
    """Those that are to be ended; a run looks for a short time only."""
    monkeypatch.setattr(module, "_LEAST", 0.0)
    monkeypatch.setattr(module, "_PAUSE", 0.005)
    found: list[Started] = []
    yield found
    for each in found:
        each.close()


def test_what_shells_print_is_read() -> None:
    """Quoted or not, among others; what is no group is left out."""
    text = "HOME='/'\nPS1='$ '\nw12='345_15_10.000'\nw7=0_2_0.500\nwhat='w3=1_2_3'\nw='x'\n"
    found = [(each.group, each.start, each.number, each.grace) for each in parse(text)]
    assert found == [(12, 345, 15, 10.0), (7, 0, 2, 0.5)]


def test_it_sees_itself() -> None:
    """With group and session."""
    seen = {each.pid: each for each in seen_processes() or ()}
    me = seen[os.getpid()]
    assert (me.group, me.session, me.start) == (os.getpgrp(), os.getsid(0), start_time(os.getpid()))


def test_a_group_gets_its_own_signal(started: list[Started]) -> None:
    """It has the time that its template gives it."""
    started.append(Started("trap 'exit 4' INT; echo; while :; do sleep 0.01; done"))
    Ending(MARK, [started[0].watched(signal.SIGINT)]).run()
    assert started[0].popen.wait(5) == 4


def test_who_ignores_the_signal_is_killed(started: list[Started]) -> None:
    """When its grace is over; a shorter one does not wait for a longer."""
    started.append(Started("trap '' TERM; echo; sleep 60"))
    started.append(Started("echo; sleep 60"))
    began = time.monotonic()
    Ending(MARK, [started[0].watched(grace=0.05), started[1].watched(grace=30)]).run()
    assert time.monotonic() - began < 5
    assert started[0].popen.wait(5) == -signal.SIGKILL
    assert started[1].popen.wait(5) == -signal.SIGTERM


def test_who_is_stopped_is_continued(started: list[Started]) -> None:
    """Else it could not react."""
    started.append(Started("echo; sleep 60"))
    os.killpg(started[0].popen.pid, signal.SIGSTOP)
    Ending(MARK, [started[0].watched(grace=30)]).run()
    assert started[0].popen.wait(5) == -signal.SIGTERM


def test_what_the_leader_has_left_in_its_group_is_ended(started: list[Started]) -> None:
    """The group is still its own."""
    started.append(Started("sleep 60 >/dev/null & echo $!"))
    started[0].popen.wait()
    Ending(MARK, [started[0].watched(start=1)]).run()
    assert not is_living(int(started[0].said))


def test_another_process_of_that_number_is_left_alone(started: list[Started]) -> None:
    """The time of its start is another."""
    started.append(Started("echo; sleep 60"))
    Ending(MARK, [started[0].watched(start=started[0].start - 1)]).run()
    assert started[0].popen.poll() is None


def test_a_mark_is_enough(started: list[Started]) -> None:
    """Nobody has told of it; others have no mark."""
    started.append(Started("echo; sleep 60", marked=True))
    started.append(Started("echo; sleep 60"))
    Ending(MARK, []).run()
    assert started[0].popen.wait(5) == -signal.SIGTERM
    assert started[1].popen.poll() is None


def test_who_has_left_the_group_is_found_by_its_mark(started: list[Started]) -> None:
    """It has a session of its own by now."""
    started.append(Started("setsid sleep 60 >/dev/null & echo $!; sleep 60", marked=True))
    Ending(MARK, [started[0].watched()]).run()
    assert not is_living(int(started[0].said))


def test_a_part_of_a_mark_is_none(started: list[Started]) -> None:
    """Neither its beginning nor its end."""
    started.append(Started("echo; sleep 60", marked=True))
    Ending(MARK[:-1], []).run()
    Ending(MARK[1:], []).run()
    assert started[0].popen.poll() is None


def test_where_nothing_is_to_be_seen_groups_are_ended(
    started: list[Started], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without /proc a number has to do."""
    started.append(Started("echo; exec sleep 60"))
    monkeypatch.setattr(module, "seen_processes", lambda: None)
    ending = Ending(MARK, [started[0].watched()])
    assert ending.look()
    assert started[0].popen.wait(5) == -signal.SIGTERM
    assert not ending.look()


def test_what_cannot_be_ended_is_given_up(started: list[Started], monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on for so long, and no longer."""
    started.append(Started("echo; sleep 60"))
    monkeypatch.setattr(module, "_STUCK", 0.02)
    monkeypatch.setattr(module, "_send", lambda pid, number, group: True)
    Ending(MARK, [started[0].watched(grace=0.02)]).run()
    assert started[0].popen.poll() is None
