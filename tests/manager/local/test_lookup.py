"""Tests of asynctask.manager.local.lookup."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from asynctask.manager.local import lookup as module
from asynctask.manager.local.identity import ProcessIdentity, boot_id, start_time
from asynctask.manager.local.lookup import candidates, known, surplus
from asynctask.manager.local.statefile import TOKEN, Record, StateDirectory
from asynctask.manager.template import ProcessTemplate

pytestmark = pytest.mark.one_loop("it has none")

ONE, OTHER, THIRD = ("1" * 16, "2" * 16, "3" * 16)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StateDirectory]:
    """An open one; nobody waits long for who was just being started."""
    monkeypatch.setattr(module, "_BETWEEN", 0.001)
    found = StateDirectory(tmp_path, "mine")
    found.open()
    yield found
    found.close()


def _living(name: str, index: int, token: str) -> Record:
    """A record of this very process."""
    return Record(name=name, index=index, token=token, pid=os.getpid(), start=start_time(os.getpid()) or 0)


def _intended(token: str) -> Record:
    return Record(name="web", index=0, token=token)


def test_who_was_being_started_is_found_by_its_token(directory: StateDirectory) -> None:
    """Its record is completed; of who never came to be it is removed."""
    directory.write(_intended(ONE))
    directory.write(_intended(OTHER))
    with subprocess.Popen(["sleep", "60"], env={TOKEN: ONE}, start_new_session=True) as popen:
        (found,) = known(directory, lambda record: True)
        assert found.identity == ProcessIdentity(popen.pid, start_time(popen.pid) or 0, boot_id())
        assert list(directory.records()) == [found]
        popen.kill()


def test_it_is_looked_again_for_who_has_no_token_yet(
    directory: StateDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is about to become what it is to be."""
    me = ProcessIdentity(os.getpid(), start_time(os.getpid()) or 0, boot_id())
    looks = iter([{}, {}, {ONE: me}])
    monkeypatch.setattr(module, "leaders_with", lambda tokens: next(looks))
    directory.write(_intended(ONE))
    (found,) = known(directory, lambda record: True)
    assert found.identity == me


def test_what_does_not_fit_is_left_alone(directory: StateDirectory) -> None:
    """It is neither looked for nor removed."""
    directory.write(_intended(ONE))
    assert known(directory, lambda record: False) == []
    assert list(directory.records()) == [_intended(ONE)]


def test_the_likeliest_comes_first(directory: StateDirectory) -> None:
    """Its own index, then those that no place has; not those of others."""
    for index, token in ((4, ONE), (1, OTHER), (0, THIRD)):
        directory.write(_living("web", index, token))
    directory.write(_living("other", 1, "4" * 16))
    template = ProcessTemplate("web", "true", numprocesses=2)
    assert [each.index for each in candidates(directory, template, 1, frozenset())] == [1, 4]
    assert [each.index for each in candidates(directory, template, 0, frozenset([ONE]))] == [0]


def test_those_are_too_many_that_no_place_will_take() -> None:
    """The first of a template stay, as far as it has places that are free; of others all go."""
    records = [
        Record(name=name, index=index, token=ONE) for name, index in (("a", 9), ("a", 0), ("b", 0), ("a", 1))
    ]
    taken = [Record(name="a", index=7, token=OTHER)]

    def left(kept: dict[str, int], claimed: list[Record]) -> list[tuple[str, int]]:
        return [(record.name, record.index) for record in surplus(records, kept, claimed)]

    assert left({}, []) == [("a", 0), ("a", 1), ("a", 9), ("b", 0)]
    assert left({"a": 2, "b": 1}, []) == [("a", 9)]
    assert left({"a": 2, "b": 1}, taken) == [("a", 1), ("a", 9)]
    assert left({"a": 0, "b": 5}, taken) == [("a", 0), ("a", 1), ("a", 9)]
