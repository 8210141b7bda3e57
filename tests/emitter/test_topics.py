"""Tests of asynctask.emitter.topics."""

from __future__ import annotations

import pytest

from asynctask.emitter.topics import PatternTree, parse_pattern, parse_topic, written
from asynctask.errors import UsageError
from tests.support import refused


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (".", ()),
        ("a", ("a",)),
        ("a.", ("a",)),
        ("a.b", ("a", "b")),
        ("*", ("*",)),
        ("proc.*.exit", ("proc", "*", "exit")),
    ],
)
def test_a_pattern(pattern: str, parts: tuple[str, ...]) -> None:
    """A dot at the end changes nothing; a dot alone is everything."""
    assert parse_pattern(pattern) == parts


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "pattern '': a component is empty"),
        ("..", "pattern '..': a component is empty"),
        (".a", "pattern '.a': a component is empty"),
        ("a..b", "pattern 'a..b': a component is empty"),
        ("a..", "pattern 'a..': a component is empty"),
        ("web*", "pattern 'web*': '*' stands for a whole component"),
        ("a.**", "pattern 'a.**': '*' stands for a whole component"),
        (b"a", "pattern b'a': a pattern is text, with dots between its components"),
        (None, "pattern None: a pattern is text, with dots between its components"),
    ],
)
def test_no_pattern(pattern: object, message: str) -> None:
    """What is wrong is said."""
    refused(UsageError, message, lambda: parse_pattern(pattern))


def test_a_topic() -> None:
    """Its components are what is between the dots, whatever that is."""
    assert parse_topic("proc.web 1.exit") == ("proc", "web 1", "exit")


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("", "topic '': a component is empty"),
        (".", "topic '.': a component is empty"),
        ("a.", "topic 'a.': a component is empty"),
        ("a..b", "topic 'a..b': a component is empty"),
        ("a.*", "topic 'a.*': '*' can be subscribed to, not published"),
        (["a"], "topic ['a']: a topic is text, with dots between its components"),
        (7, "topic 7: a topic is text, with dots between its components"),
    ],
)
def test_no_topic(topic: object, message: str) -> None:
    """What is wrong is said."""
    refused(UsageError, message, lambda: parse_topic(topic))


@pytest.mark.parametrize(("parts", "text"), [((), "."), (("a", "*"), "a.*")])
def test_a_pattern_written(parts: tuple[str, ...], text: str) -> None:
    """There is one way to write it."""
    assert written(parts) == text


@pytest.mark.parametrize(
    ("topic", "found"),
    [
        ("a", {".", "a", "*"}),
        ("a.b", {".", "a", "*", "a.b", "a.*"}),
        ("a.b.c", {".", "a", "*", "a.b", "a.*", "a.*.c", "*.b.c"}),
        ("a.bc", {".", "a", "*", "a.*"}),
        ("x.b.c", {".", "*", "*.b.c"}),
        ("ab", {".", "*"}),
    ],
)
def test_which_patterns_match(topic: str, found: set[str]) -> None:
    """Itself, and everything below; component by component, not letter by letter."""
    tree: PatternTree[str] = PatternTree()
    for pattern in (".", "a", "a.b", "*", "a.*", "a.*.c", "*.b.c"):
        tree.add(parse_pattern(pattern), pattern)
    matched = [item for node in tree.match(parse_topic(topic)) for item in node.items]
    assert sorted(matched) == sorted(found)


def test_what_was_taken_away_leaves_no_branch() -> None:
    """Memory is that of what is there."""
    tree: PatternTree[int] = PatternTree()
    for item, pattern in enumerate(("a.b", "a.b.c.d", "a.b.x")):
        tree.add(parse_pattern(pattern), item)
    tree.remove(("a", "b", "c", "d"), 1)
    assert list(tree._root.nodes["a"].nodes["b"].nodes) == ["x"]
    tree.remove(("a", "b"), 0)
    tree.remove(("a", "b", "x"), 2)
    assert tree._root.nodes == {}


def test_a_cleared_tree() -> None:
    """Nothing is found in it."""
    tree: PatternTree[int] = PatternTree()
    tree.add((), 1)
    tree.clear()
    assert tree.match(("a",)) == ()
