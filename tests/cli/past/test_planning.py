"""What is left to do of a run that was not completed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from asynctask.cli.past.controller import Controller
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.planning import mark, plan_of
from asynctask.cli.past.reading import open_history
from asynctask.outcome import Outcome
from tests.cli.past.support import GONE, end, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")

NODES = [f"n{place}" for place in range(7)]
ENDS = (
    end(0),
    end(1, Outcome.FAILED),
    end(2, Outcome.ABORTED),
    end(3, Outcome.ABORTED, started=None),
    end(4, Outcome.NEVER_STARTED, started=None),
)  # the fifth waits, the sixth is started


def planned(path: Path, number: int, *, again: bool = False, force: bool = False) -> tuple[str, str]:
    """The nodes that are left to be run, and those of which nobody knows."""
    with open_history(path) as history:
        plan = plan_of(history, path, number, again=again, force=force)
    left, unknown = (" ".join(node.node for node in nodes) for nodes in (plan.left, plan.unknown))
    return left, unknown


@pytest.mark.parametrize("status", [None, 130])
def test_what_was_never_started_is_left(history: Path, status: int | None) -> None:
    """After a kill, and after Ctrl-C; what was started is not run twice, unless it is asked for."""
    number = recorded(history, *ENDS, starts=[0, 1, 2, 6], targets=NODES, status=status)

    assert planned(history, number) == ("n3 n4 n5", "n2 n6")
    assert planned(history, number, again=True) == ("n2 n3 n4 n5 n6", "")


def test_a_record_that_has_holes(history: Path) -> None:
    """Who is not on record as started may have been; only what ended as never started was not."""
    number = recorded(history, *ENDS, starts=[0, 1, 2, 6], targets=NODES, status=None)
    mark(history, number).unlink()

    assert planned(history, number) == ("n4", "n2 n3 n5 n6")


def test_a_run_that_goes_on(history: Path) -> None:
    """Its process is named."""
    me = Controller.me()
    number = recorded(history, status=None, controller=me)

    with pytest.raises(HistoryError, match=rf"^run 1 still goes on: process {me.pid}$"):
        planned(history, number, force=True)


def test_a_run_of_another_machine(history: Path) -> None:
    """Whether it goes on cannot be told from here; its user may know."""
    number = recorded(history, status=None, controller=replace(GONE, host="login2"))

    with pytest.raises(HistoryError, match=r"^run 1: it was started on login2, and .* or use --force"):
        planned(history, number)
    assert planned(history, number, force=True) == ("web1 web2", "")
