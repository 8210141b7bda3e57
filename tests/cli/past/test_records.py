"""What the history holds, as plain data."""

from __future__ import annotations

import pytest

from asynctask.cli.past.records import Batch, Node, Output
from asynctask.outcome import Outcome

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (Output(b"all\n", 4), b"all\n"),
        (Output(b"a\nz\n", 104, 2), b"a\n[100 bytes were not kept]\nz\n"),
        (Output(b"ayz\n", 9, 2), b"ay\n[5 bytes were not kept]\nz\n"),
        (Output(b"", 7), b"[7 bytes were not kept]\n"),
    ],
)
def test_what_is_left_out_is_said(output: Output, shown: bytes) -> None:
    """On a line of its own, where it was."""
    assert output.shown == shown


@pytest.mark.parametrize(
    ("outcome", "started", "finished", "untouched"),
    [
        (Outcome.OK, 1.0, True, False),
        (Outcome.FAILED, 1.0, True, False),
        (Outcome.UNREACHABLE, None, True, False),
        (Outcome.ABORTED, 1.0, False, False),
        (Outcome.ABORTED, None, False, True),
        (Outcome.NEVER_STARTED, None, False, True),
        (Outcome.NEVER_STARTED, 1.0, False, True),  # there was no room for it after all
        (None, None, False, True),
        (None, 1.0, False, False),
    ],
)
def test_what_is_left_to_do(
    outcome: Outcome | None, started: float | None, finished: bool, untouched: bool
) -> None:
    """What was started may have been done: it is untouched only if that is certain."""
    node = Node(
        place=0,
        node="web1",
        began=None,
        started=started,
        ended=None,
        attempts=0,
        outcome=outcome,
        rc=None,
        signal=None,
        reason=None,
        hint=None,
    )

    assert (node.finished, node.untouched) == (finished, untouched)


def test_a_batch_may_be_empty() -> None:
    """There is nothing to write then."""
    assert not Batch()
    assert Batch(starts=[(1.0, 0)])
