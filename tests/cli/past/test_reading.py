"""Reads the history."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.reading import (
    find,
    open_history,
    read_counts,
    read_nodes,
    read_run,
    read_runs,
)
from asynctask.outcome import Outcome
from tests.cli.past.support import end, opened, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("word", "number"), [("2", 2), ("002", 2), ("last", 3), ("last-1", 3), ("last-3", 1)]
)
def test_words_for_runs(history: Path, word: str, number: int) -> None:
    """A number, the last one, or counted from the end."""
    for _ in range(3):
        recorded(history)

    with open_history(history) as connection:
        assert find(connection, word) == number


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("4", "^no run 4 is in the history; there are 1 to 3$"),
        ("0", "^no run 0 is"),
        ("last-4", "^no run -4 is in the history; there are 1 to 3$"),
        ("lost", "^'lost' is no run: give its number as asynctask history shows it, last, or -2$"),
        ("", "is no run"),
        ("1x", "is no run"),
        ("-1", "is no run"),
        ("9" * 30, "is no run"),
        ("²", "is no run"),
    ],
)
def test_no_such_run(history: Path, word: str, problem: str) -> None:
    """It is said which there are."""
    for _ in range(3):
        recorded(history)

    with pytest.raises(HistoryError, match=problem), open_history(history) as connection:
        find(connection, word)


def test_one_run_and_none(history: Path) -> None:
    """Both are told in words that fit."""
    recorded(history)
    with open_history(history) as connection:
        with pytest.raises(HistoryError, match=r"; there is only 1$"):
            read_run(connection, 2)
        connection.execute("DELETE FROM runs")
        with pytest.raises(HistoryError, match="no runs are recorded yet"):
            find(connection, "last")


def test_numbers_are_not_given_again(history: Path) -> None:
    """Somebody may have noted one."""
    recorded(history)
    with opened(history) as store:
        store.connection.execute("DELETE FROM runs")

    assert recorded(history) == 2


def test_the_newest_runs(history: Path) -> None:
    """The newest comes last."""
    for place in range(3):
        recorded(history, command=f"run {place}")

    with open_history(history) as connection:
        assert [run.command for run in read_runs(connection, 2)] == ["run 1", "run 2"]
        assert len(read_runs(connection)) == 3


def test_how_many_ended_how(history: Path) -> None:
    """Of each run from one on; those without an end wait or are started."""
    recorded(history, end(0))
    recorded(
        history, end(0), end(1, Outcome.TIMED_OUT), targets=["a", "b", "c", "d"], starts=[3], status=None
    )

    with open_history(history) as connection:
        assert read_counts(connection, 2) == {2: {"ok": 1, "timed out": 1, "waiting": 1, "started": 1}}


def test_output_is_read_if_it_is_asked_for(history: Path) -> None:
    """Else how much there was is known."""
    number = recorded(history, end(0, out=output(b"out"), err=output(b"err!")))

    with open_history(history) as connection:
        without = read_nodes(connection, number)[0]
        node = read_nodes(connection, number, output=True)[0]

    assert (without.out.data, without.out.size, without.err.data, without.err.size) == (b"", 3, b"", 4)
    assert (node.out, node.err) == (output(b"out"), output(b"err!"))


def test_what_breaks_while_reading_is_told(history: Path) -> None:
    """With the name of the file."""
    recorded(history)
    with opened(history) as store:
        store.connection.execute("DROP TABLE nodes")

    with (
        pytest.raises(HistoryError, match=r"history\.db: no such table"),
        open_history(history) as connection,
    ):
        read_nodes(connection, 1)
