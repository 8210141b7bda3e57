"""Who did not end well, and the exit status."""

from __future__ import annotations

import pytest

from asynctask.cli.output.labels import Titles
from asynctask.cli.output.summary import exit_status, failure_lines, summary_line
from asynctask.errors import ConnectionFailedError, NodeError
from asynctask.outcome import NodeResult, Outcome
from tests.support import node_result

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


def _failed(node: str, rc: int = 1) -> NodeResult:
    return node_result(node, Outcome.FAILED, rc)


def _unreachable(node: str, reason: str, hint: str = "") -> NodeResult:
    error = ConnectionFailedError(node, reason, hint)
    return node_result(node, Outcome.UNREACHABLE, None, error=error)


def _lines(*results: NodeResult, every: bool = False) -> list[str]:
    return list(failure_lines(results, every=every))


def test_all_is_well() -> None:
    """Then nothing is said."""
    assert _lines(node_result("a1"), node_result("a2")) == []


def test_a_line_for_each_way() -> None:
    """With all the nodes that went it."""
    assert _lines(
        _failed("a1", 3),
        node_result("a2"),
        node_result("a3", Outcome.TIMED_OUT, None),
        _failed("a4", 3),
        _failed("a5", 4),
        node_result("a6", Outcome.SIGNALLED, 137, signal=9),
        node_result("a7", Outcome.NEVER_STARTED, None),
    ) == [
        "a[1,4] (2): failed with exit code 3",
        "a3: timed out",
        "a5: failed with exit code 4",
        "a6: killed by SIGKILL",
        "a7: never started",
    ]


def test_reasons_that_differ_in_the_name_alone() -> None:
    """Count as one, with a placeholder; a single node has its name in it."""
    results = [_unreachable(node, f"port 22 of {node} is dead", f"ask {node}.") for node in ("a1", "a2")]

    assert _lines(*results) == ["a[1-2] (2): port 22 of NODE is dead; ask NODE."]
    assert _lines(results[0]) == ["a1: port 22 of a1 is dead; ask a1."]


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("2", "port 22 of 10.0.0.2"),
        ("t", "port of the gate"),
        ("web1", "web10 and web1-adm and my-web1 and x.web1"),
    ],
)
def test_a_name_inside_another_word(node: str, reason: str) -> None:
    """Is no name of the node."""
    assert _lines(_unreachable(node, reason), _unreachable("zz", reason)) == [f"{node},zz (2): {reason}"]


def test_a_node_cannot_drive_the_terminal() -> None:
    """What a peer sent is written out, and stays on its line."""
    results = _unreachable("a1", "it said \x1b[31mgo\nweb2: ok\u202e\udcff")

    assert _lines(results) == ["a1: it said ^[[31mgo^Jweb2: ok\\u202e\ufffd"]


def test_many_reasons() -> None:
    """Twenty are listed, unless all are wanted."""
    results = [_failed(f"n{number}", number) for number in range(1, 24)]
    listed = [f"n{number}: failed with exit code {number}" for number in range(1, 24)]

    assert _lines(*results) == [*listed[:20], "n[21-23] (3): failed for 3 other reasons; -v shows each"]
    assert _lines(*results, every=True) == listed


def test_without_counts() -> None:
    """The sets alone."""
    assert list(failure_lines([_failed("a1"), _failed("a2")], Titles(count=False))) == [
        "a[1-2]: failed with exit code 1"
    ]


def test_an_error_of_no_kind() -> None:
    """Is said as well."""
    result = node_result("a1", Outcome.ABORTED, None, error=NodeError("a1", "the worker raised KeyError()"))

    assert _lines(result) == ["a1: the worker raised KeyError()"]


@pytest.mark.parametrize(
    ("codes", "status"), [([], 0), ([0, 0], 0), ([0, 3, 1], 3), ([137, 0], 137), ([0, None], 255)]
)
def test_exit_status(codes: list[int | None], status: int) -> None:
    """The largest exit code; a node without one counts as 255."""
    assert exit_status([node_result(f"a{place}", rc=rc) for place, rc in enumerate(codes)]) == status


def test_all_in_one_line() -> None:
    """By outcome, exit code and signal, with the nodes ready to paste where not all is well."""
    results = [
        *(node_result(f"web{number}") for number in range(1, 98)),
        _failed("web102", 4),
        _failed("web98", 3),
        _failed("web100", 3),
        _unreachable("web99", "no route"),
        node_result("web101", Outcome.SIGNALLED, 137, signal=9),
    ]

    assert summary_line(results) == (
        "97 ok, 2 failed (rc 3): web[98,100], 1 failed (rc 4): web102, "
        "1 killed by SIGKILL: web101, 1 unreachable: web99"
    )


def test_nothing_to_sum_up() -> None:
    """It is said."""
    assert summary_line([]) == "no targets"


def test_nodes_that_took_several_attempts() -> None:
    """Are counted among those that ended well."""
    results = [node_result("a1"), node_result("a2"), _failed("a3")]

    assert summary_line(results, attempts={"a1": 1, "a2": 3, "a3": 3}) == (
        "2 ok (1 only when tried again), 1 failed (rc 1): a3"
    )
