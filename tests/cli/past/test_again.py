"""The request of an earlier run, for some of its nodes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from asynctask.cli.past.again import FAILED, TIMED_OUT, UNREACHABLE, chosen, request_of, variables_of
from asynctask.cli.past.database import HistoryError
from asynctask.cli.past.reading import read_run
from asynctask.cli.past.records import Run
from asynctask.cli.request import Copying, Request
from asynctask.errors import UsageError
from asynctask.outcome import Outcome
from tests.cli.past.support import end, nodes_of, opened, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def run_of(path: Path, **fields: Any) -> Run:
    """A run as it is on record."""
    number = recorded(path, **fields)
    with opened(path) as store:
        return read_run(store.connection, number)


def again(run: Run, **more: Any) -> Request:
    """Its request for web2."""
    values: dict[str, Any] = {"said": {}, "variables": {}, "input_given": False}
    return request_of(run, ("web2",), **{**values, **more})


def test_each_end_belongs_to_a_choice() -> None:
    """But those of nodes that were well, or that the run itself has ended."""
    rest = set(Outcome) - FAILED - TIMED_OUT - UNREACHABLE

    assert rest == {Outcome.OK, Outcome.ABORTED, Outcome.NEVER_STARTED}


@pytest.mark.parametrize(
    ("outcomes", "names"),
    [
        ((), "failed timed-out refused aborted started waiting"),
        (FAILED, "failed"),
        (TIMED_OUT, "timed-out"),
        (UNREACHABLE | FAILED, "failed refused"),
    ],
)
def test_nodes_are_chosen_by_how_they_ended(history: Path, outcomes: Collection[Outcome], names: str) -> None:
    """By default all that are not known to be well."""
    ends = (Outcome.OK, Outcome.FAILED, Outcome.TIMED_OUT, Outcome.REFUSED, Outcome.ABORTED)
    targets = ["ok", "failed", "timed-out", "refused", "aborted", "started", "waiting"]
    number = recorded(
        history, *(end(place, outcome) for place, outcome in enumerate(ends)), targets=targets, starts=[5]
    )

    assert " ".join(chosen(nodes_of(history, number), outcomes)) == names


def test_all_is_as_it_was(history: Path) -> None:
    """But the nodes."""
    request = Request(targets=("web1", "web2"), command="make", fanout=3, gather=True, halt="now,fail=1")
    plain = request.plain()
    del plain["targets"], plain["command"]

    assert again(run_of(history, plain=plain, command="make")) == Request(
        targets=("web2",), command="make", fanout=3, gather=True, halt="now,fail=1"
    )


def test_a_copy_is_made_again(history: Path) -> None:
    """With the names of its files."""
    copying = Copying(sources=("a", "b"), dest="/etc")
    plain = Request(targets=(), copying=copying).plain()

    assert again(run_of(history, plain=plain, command="")).copying == copying


def test_what_the_user_says_now_counts(history: Path) -> None:
    """Another display takes the place of the one that was."""
    run = run_of(history, plain={"gather": True, "fanout": 3, "diff": True})

    assert again(run, said={"fanout": 5, "run": "last"}).fanout == 5
    assert again(run, said={"verbose": True}).verbosity == 2
    assert again(run, said={"quiet": True}).quiet
    request = again(run, said={"by_node": True})
    assert (request.by_node, request.gather, request.diff, request.fanout) == (True, False, False, 3)


def test_variables_have_to_be_given_again(history: Path) -> None:
    """It is said how."""
    run = run_of(history, variables=("TOKEN", "LANG"))

    with pytest.raises(
        HistoryError,
        match=r"^run 1 set TOKEN, and values are not kept: give them again with --env TOKEN=VALUE$",
    ):
        again(run, variables={"LANG": "C"})
    assert again(run, variables={"LANG": "C", "TOKEN": "x"}).env == (("LANG", "C"), ("TOKEN", "x"))


def test_input_has_to_be_given_again(history: Path) -> None:
    """Or it is said that there is none."""
    run = run_of(history, input=True)

    with pytest.raises(
        HistoryError, match=r"^run 1 was given something to read, which is not kept: .* < FILE"
    ):
        again(run)
    assert again(run, input_given=True).nostdin is False
    assert again(run, said={"nostdin": True}).nostdin is True


def test_values_of_variables() -> None:
    """As they are given, or as they are here."""
    environ = {"HERE": "1", "EMPTY": ""}

    assert variables_of(["A=b=c", "HERE", "EMPTY", "X="], environ) == {
        "A": "b=c", "HERE": "1", "EMPTY": "", "X": "",
    }  # fmt: skip
    with pytest.raises(UsageError, match=r"^--env GONE: it is not set here; give it as GONE=VALUE$"):
        variables_of(["GONE"], environ)
