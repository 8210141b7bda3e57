"""Outputs as a tree."""

from __future__ import annotations

import pytest

from asynctask.cli.gathering.branching import Branch, Output, branches

pytestmark = pytest.mark.one_loop("no event loop runs here")


def _branches(**texts: str) -> list[tuple[int, str, str]]:
    outputs: dict[str, list[str]] = {}
    for node, text in texts.items():
        outputs.setdefault(text, []).append(node)
    places = {node: place for place, node in enumerate(sorted(texts))}
    found = branches(
        [Output(nodes, [line.encode() for line in text]) for text, nodes in outputs.items()], places
    )
    return [(depth, "".join(nodes), b"".join(lines).decode()) for depth, nodes, lines in found]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({}, []),
        ({"a": "xy"}, [(0, "a", "xy")]),
        ({"a": "xy", "b": "xy"}, [(0, "ab", "xy")]),
        ({"a": "x", "b": "y", "c": "y"}, [(0, "bc", "y"), (0, "a", "x")]),
        ({"a": "xyp", "b": "xyq"}, [(0, "ab", "xy"), (1, "a", "p"), (1, "b", "q")]),
        ({"a": "x", "b": "xy"}, [(0, "ab", "x"), (1, "b", "y")]),
        (
            {"a": "xyp", "b": "xyq", "c": "xz", "d": "v"},
            [
                (0, "abc", "x"),
                (1, "ab", "y"),
                (2, "a", "p"),
                (2, "b", "q"),
                (1, "c", "z"),
                (0, "d", "v"),
            ],
        ),
    ],
)
def test_what_is_common_stands_once(texts: dict[str, str], expected: list[object]) -> None:
    """Most nodes first, then by node."""
    assert _branches(**texts) == expected


def test_branches_have_their_lines() -> None:
    """As they are."""
    assert list(branches([Output(["a"], [b"1", b"2"])], {"a": 0})) == [Branch(0, ["a"], [b"1", b"2"])]


def test_many_outputs_that_differ_late() -> None:
    """The tree may be as deep as there are outputs."""
    nodes = [f"n{number}" for number in range(200)]
    outputs = [Output([node], [b"x"] * (place + 1)) for place, node in enumerate(nodes)]

    found = list(branches(outputs, {node: place for place, node in enumerate(nodes)}))

    assert [branch.depth for branch in found] == list(range(200))
