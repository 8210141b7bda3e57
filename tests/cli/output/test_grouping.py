"""Which results belong together."""

from __future__ import annotations

import pytest

from asynctask.cli.output.grouping import NO_CODE, by_rc, gathered, in_order, names_in_order, ordered
from tests.cli.output.displaying import results_of

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["n10", "n9", "m1"], ["m1", "n9", "n10"]),
        (["x y", "["], ["x y", "["]),
        (["b[1-99999999]", "@all", "a"], ["a", "b[1-99999999]", "@all"]),
        (["b", "b", "a"], ["a", "b"]),
        (["user@b", "[::1]", "a"], ["a", "user@b", "[::1]"]),
        ([], []),
    ],
)
def test_names_in_order(names: list[str], order: list[str]) -> None:
    """As a node set has them; names that make none stay as they are."""
    assert sorted(names_in_order(names)) == sorted(order)
    if "[::1]" not in names:
        assert names_in_order(names) == order


async def test_results_in_order() -> None:
    """The same; several of one node stay together."""
    results = results_of(("n10", 0, b"1"), ("n9", 0, b"2"), ("n10", 0, b"3"))

    assert [result.stdout for result in in_order(results)] == [b"2", b"1", b"3"]
    assert await ordered(results) == in_order(results)


def test_by_exit_code() -> None:
    """Who has none comes last."""
    results = results_of(("a", None, b""), ("b", 255, b""), ("c", 0, b""), ("d", 255, b""))

    assert [(rc, [result.node for result in alike]) for rc, alike in by_rc(results)] == [
        (0, ["c"]),
        (255, ["b", "d"]),
        (NO_CODE, ["a"]),
    ]


def _shown(*parts: tuple[str, int | None, bytes], outliers: str = "") -> list[str]:
    return [",".join(alike.nodes) for alike in gathered(results_of(*parts), outliers=outliers)]


PARTS: list[tuple[str, int | None, bytes]] = [
    ("a", 1, b"x"),
    ("b", 0, b"x"),
    ("c", 0, b"y"),
    ("d", 0, b"y"),
    ("e", 1, b"z"),
    ("f", 1, b"z"),
    ("g", 1, b"z"),
]


@pytest.mark.parametrize(
    ("outliers", "order"),
    [
        ("", ["c,d", "b", "e,f,g", "a"]),
        ("first", ["b", "a", "c,d", "e,f,g"]),
        ("last", ["e,f,g", "c,d", "b", "a"]),
    ],
)
def test_order(outliers: str, order: list[str]) -> None:
    """By exit code, then the most nodes first; outputs of the fewest nodes where they are wanted."""
    assert _shown(*PARTS, outliers=outliers) == order


def test_a_last_newline_makes_no_difference() -> None:
    """And nodes without output are left out."""
    assert _shown(("a", 0, b"x\n"), ("b", 0, b"x"), ("c", 0, b"x\r\n"), ("d", 0, b"")) == ["a,b,c"]


def test_attempts_with_trees_of_their_own() -> None:
    """The same output of two runs is the same, with its nodes in order."""
    first = results_of(("a", 0, b"x\n"), ("c", 0, b"y"), ("d", 0, b"x"))
    second = results_of(("b", 0, b"x"), ("e", 0, b"z\n"))

    found = gathered(in_order([*first, *second]))

    assert [(bytes(alike.message), alike.nodes) for alike in found] == [
        (b"x", ["a", "b", "d"]),
        (b"y", ["c"]),
        (b"z", ["e"]),
    ]


def test_standard_error() -> None:
    """Is asked for by name."""
    results = results_of(("a", 0, b"x", b"e"), ("b", 0, b"y", b"e"))

    assert [alike.nodes for alike in gathered(results, "err")] == [["a", "b"]]
