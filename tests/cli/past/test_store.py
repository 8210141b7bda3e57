"""Writes the history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asynctask.cli.past import store as store_module
from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.planning import mark
from asynctask.cli.past.reading import read_run
from asynctask.cli.past.records import Batch, Output
from asynctask.outcome import Outcome
from tests.cli.past.support import GONE, end, new_run, nodes_of, opened, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

ODD = b"caf\xe9".decode(errors="surrogateescape")


def test_a_run_that_begins(history: Path) -> None:
    """All its nodes wait."""
    with opened(history) as store:
        number = store.begin(new_run(retry_of=7, variables=("TOKEN",), input=True, plain={"fanout": 2}))
        run = read_run(store.connection, number)

    assert (number, run.command, run.retry_of, run.plain) == (1, "uname -r", 7, {"fanout": 2})
    assert (run.variables, run.input, run.count, run.controller) == (("TOKEN",), True, 2, GONE)
    assert (run.ended, run.status, run.targets) == (None, None, None)
    assert [(node.node, node.started, node.outcome) for node in nodes_of(history, number)] == [
        ("web1", None, None),
        ("web2", None, None),
    ]


def test_what_is_written_of_nodes(history: Path) -> None:
    """That they start, and how they end."""
    failed = end(
        1,
        Outcome.UNREACHABLE,
        started=None,
        attempts=3,
        reason="no answer",
        hint="wait",
        out=output(b"so far"),
    )
    number = recorded(history, end(0, out=output(b"a\n"), err=output(b"b\n")), failed, starts=[0])

    one, other = nodes_of(history, number)

    assert (one.outcome, one.rc, one.attempts, one.out, one.err) == (
        Outcome.OK, 0, 1, output(b"a\n"), output(b"b\n"),
    )  # fmt: skip
    assert (one.began, one.started, one.ended) == (1_700_000_001.0, 1_700_000_001.5, 1_700_000_002.5)
    assert (other.outcome, other.rc, other.started, other.attempts) == (Outcome.UNREACHABLE, None, None, 3)
    assert (other.reason, other.hint, other.out) == ("no answer", "wait", output(b"so far"))


def test_a_run_that_is_over(history: Path) -> None:
    """When, with which exit status, and what its nodes are as a set."""
    number = recorded(history, status=130)
    with opened(history) as store:
        run = read_run(store.connection, number)

    assert (run.ended, run.status, run.targets) == (1_700_000_003.0, 130, "web[1-2]")


def test_names_that_are_no_utf8(history: Path) -> None:
    """They are as they were."""
    number = recorded(history, command=f"cat {ODD}", targets=[ODD], cwd=f"/{ODD}", plain={"dest": ODD})
    with opened(history) as store:
        run = read_run(store.connection, number)

    assert (run.command, run.cwd, run.plain) == (f"cat {ODD}", f"/{ODD}", {"dest": ODD})
    assert [node.node for node in nodes_of(history, number)] == [ODD]


def test_the_same_output_is_kept_once(history: Path) -> None:
    """Of both streams and all nodes; what is cut elsewhere is something else."""
    cut = Output(b"same", 100, 2)
    recorded(history, end(0, out=output(b"same"), err=output(b"same")), end(1, out=output(b"same"), err=cut))

    with opened(history) as store:
        assert store.connection.execute("SELECT data, cut FROM texts").fetchall() == [
            (b"same", None),
            (b"same", 2),
        ]


def test_a_run_keeps_no_more_than_its_share(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How much there was is still known."""
    monkeypatch.setattr(store_module, "RUN_LIMIT", 6)
    number = recorded(history, end(0, out=output(b"1234")), end(1, out=output(b"5678"), err=output(b"9")))

    one, other = nodes_of(history, number)

    assert one.out == output(b"1234")
    assert other.out == Output(size=4)
    assert other.err == output(b"9")


def test_what_cannot_be_written_is_told_and_left_out_as_a_whole(history: Path) -> None:
    """A batch is written, or nothing of it."""
    with opened(history) as store:
        number = store.begin(new_run())
        bad = replace(end(1), rc=object())  # type: ignore[arg-type]
        with pytest.raises(HistoryError, match=r"^history: .*history\.db: "):
            store.record(number, Batch(starts=[(1.0, 0)], ends=[bad]))

    assert [node.started for node in nodes_of(history, number)] == [None, None]


# -- a run that is completed later ----------------------------------------------------------------


def test_a_run_that_is_completed(history: Path) -> None:
    """It is this process's now, and goes on; what is left of it waits, the rest is as it was."""
    ends = (end(0), end(1, Outcome.ABORTED), end(2, Outcome.NEVER_STARTED, started=None))
    number = recorded(history, *ends, starts=[0, 1], targets=["a", "b", "c"], status=130)
    me = Controller.me()

    with opened(history) as store:
        plan = store.take_over(number, me, again=False)
        run = read_run(store.connection, number)

    assert [node.node for node in plan.left] == ["c"]
    assert (run.controller, run.ended, run.status) == (me, None, None)
    assert [node.outcome for node in nodes_of(history, number)] == [Outcome.OK, Outcome.ABORTED, None]
    assert mark(history, number).exists()


def test_of_two_that_want_to_complete_a_run_one_does(history: Path) -> None:
    """The other is told by whom."""
    number = recorded(history, status=None)
    me = Controller.me()

    with opened(history) as store:
        store.take_over(number, me, again=False)
        with pytest.raises(HistoryError, match=rf"^run 1 still goes on: process {me.pid}$"):
            store.take_over(number, me, again=True)


def test_a_run_with_nothing_left_is_not_touched(history: Path) -> None:
    """It stays as it ended."""
    number = recorded(history, end(0), end(1), status=3)

    with opened(history) as store:
        plan = store.take_over(number, Controller.me(), again=False)
        run = read_run(store.connection, number)

    assert (plan.left, plan.unknown, run.status, run.controller) == ((), (), 3, GONE)


def test_a_record_that_has_holes_keeps_them(history: Path) -> None:
    """Who completes the run does not know either who was started before."""
    with opened(history) as store:
        number = store.begin(new_run())
        store.lose(number)
        store.lose(number)
        store.take_over(number, GONE, again=True)

        plan = store.take_over(number, GONE, again=False)

    assert [node.node for node in plan.unknown] == ["web1", "web2"]


def test_the_mark_of_a_run(history: Path) -> None:
    """It is there while all its starts are on record, and gone when it is over."""
    with opened(history) as store:
        number = store.begin(new_run())
        assert mark(history, number).stat().st_mode & 0o777 == 0o600
        store.finish(number, 1.0, 0, "")
        assert not mark(history, number).exists()
        store.take_over(number, GONE, again=False)
        assert mark(history, number).exists()


def test_a_disk_that_is_full(history: Path) -> None:
    """It is told, and the mark can be taken away all the same."""
    with opened(history) as store:
        number = store.begin(new_run())
        pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
        store.connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(HistoryError, match="database or disk is full"):
            store.record(number, Batch(ends=[end(0, out=output(bytes(100_000)))]))
        store.lose(number)

    assert not mark(history, number).exists()
