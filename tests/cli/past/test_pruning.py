"""Forgets old runs."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.planning import mark
from asynctask.cli.past.pruning import prune, prune_by_size
from asynctask.cli.past.reading import read_runs
from tests.cli.past.support import GONE, end, opened, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def test_all_but_the_newest(history: Path) -> None:
    """Nothing is left of the others."""
    for _ in range(3):
        recorded(history, end(0, out=output(b"x")), status=None)

    with opened(history) as store:
        assert prune(store.connection, history, keep=1) == [1, 2]
        for table, column in (("runs", "id"), ("nodes", "run"), ("texts", "run")):
            assert store.connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall() == [(3,)]

    assert not mark(history, 1).exists()
    assert mark(history, 3).exists()


def test_what_is_old(history: Path) -> None:
    """What began in that time stays; both conditions hold if there are two."""
    now = time.time()
    for age in (300, 200, 100):
        recorded(history, began=now - age)

    with opened(history) as store:
        assert prune(store.connection, history, older_than=1000) == []
        assert prune(store.connection, history, older_than=150, keep=1) == [1]
        assert prune(store.connection, history, older_than=150) == [2]
        assert prune(store.connection, history) == [3]


def test_what_goes_on_stays(history: Path) -> None:
    """Also what may go on, on another machine."""
    recorded(history, status=None, controller=Controller.me())
    recorded(history, status=None, controller=replace(GONE, host="login2"))
    recorded(history, status=None)

    with opened(history) as store:
        assert prune(store.connection, history) == [3]


def test_the_oldest_go_when_the_file_is_too_large(history: Path) -> None:
    """The newest stays, whatever it takes; space is given back."""
    for place in range(4):
        recorded(history, end(0, out=output(bytes([place]) * 200_000)))

    with opened(history) as store:
        prune_by_size(store.connection, history, most=600_000)
        assert [run.id for run in read_runs(store.connection)] == [3, 4]
        assert store.connection.execute("PRAGMA freelist_count").fetchone() == (0,)

        prune_by_size(store.connection, history, most=0)
        assert [run.id for run in read_runs(store.connection)] == [4]
