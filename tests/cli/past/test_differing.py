"""What two runs have different."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.past.differing import compare
from asynctask.cli.past.records import End, Node, Output
from asynctask.outcome import Outcome
from tests.cli.past.support import end, nodes_of, output, recorded

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def run(path: Path, *ends: End, **fields: object) -> list[Node]:
    """The nodes of a run."""
    return nodes_of(path, recorded(path, *ends, **fields))  # type: ignore[arg-type]


def test_nothing(history: Path) -> None:
    """Times are no difference."""
    old = run(history, end(0, out=output(b"a")), end(1, Outcome.FAILED, rc=3))
    new = run(history, end(0, out=output(b"a"), ended=2e9), end(1, Outcome.FAILED, rc=3, attempts=2))

    assert not compare(old, new)


def test_nodes_of_one_run_alone(history: Path) -> None:
    """They are listed, and not compared."""
    difference = compare(run(history, targets=["a", "b"]), run(history, end(1), targets=["b", "c"]))

    assert (difference.only_old, difference.only_new) == (["a"], ["c"])
    assert (difference.ends, difference.outputs) == ([], [])
    assert difference


def test_ends_are_told_in_words(history: Path) -> None:
    """Those that changed in the same way together."""
    targets = ["a", "b", "c", "d", "e"]
    old = run(history, *(end(place) for place in range(5)), targets=targets)
    new = run(
        history,
        end(0, Outcome.FAILED, rc=3),
        end(1, Outcome.SIGNALLED, rc=137, signal=9),
        end(2, Outcome.FAILED, rc=3),
        targets=targets,
        starts=[3],
        status=None,
    )

    assert compare(old, new).ends == [
        ("ok", "failed with exit code 3", ["a", "c"]),
        ("ok", "killed by SIGKILL", ["b"]),
        ("ok", "not known how it ended", ["d"]),
        ("ok", "never started", ["e"]),
    ]


def test_outputs_that_changed_in_the_same_way(history: Path) -> None:
    """They are put together, each stream for itself."""
    targets = ["a", "b", "c"]
    old = run(history, *(end(place, out=output(b"1\n2\n")) for place in range(3)), targets=targets)
    new = run(
        history,
        end(0, out=output(b"1\n3\n")),
        end(1, out=output(b"1\n3\n")),
        end(2, out=Output(b"1\n", 50, 2), err=output(b"oh\n")),
        targets=targets,
    )

    first, second, third = compare(old, new).outputs

    assert (first.stream, first.nodes, first.lines) == ("stdout", ["a", "b"], ([b"1", b"2"], [b"1", b"3"]))
    assert (second.nodes, second.lines[1]) == (["c"], [b"1", b"[48 bytes were not kept]"])
    assert (third.stream, third.nodes, third.lines) == ("stderr", ["c"], ([], [b"oh"]))
