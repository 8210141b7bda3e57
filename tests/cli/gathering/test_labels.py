"""Whose a line is."""

from __future__ import annotations

from pathlib import Path

import pytest

from asynctask.cli.gathering.labels import Labels, Split
from asynctask.errors import NodeSetError

pytestmark = pytest.mark.one_loop("no event loop runs here")


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"a1: x", (b"a1", b"x")),
        (b"a1:x", (b"a1", b"x")),
        (b"a1:  x: y", (b"a1", b" x: y")),
        (b"a1:", (b"a1", b"")),
        (b"a1: ", (b"a1", b"")),
        (b"a1\xff:\0", (b"a1\xff", b"\0")),
        (b"a1", None),
        (b"", None),
    ],
)
def test_split_at_the_first_colon(line: bytes, parts: object) -> None:
    """One blank after it belongs to the label."""
    assert Split()(line) == parts


@pytest.mark.parametrize(
    ("separator", "line", "parts"),
    [
        (b":", b"a1: x", (b"a1", b" x")),
        (b" | ", b"a1 | x | y", (b"a1", b"x | y")),
        (b"::", b"a1: x", None),
    ],
)
def test_split_at_something_else(separator: bytes, line: bytes, parts: object) -> None:
    """What comes after it is all text."""
    assert Split(separator, blank=False)(line) == parts


@pytest.mark.parametrize(
    ("label", "names", "odd"),
    [
        (b"a1", ("a1",), []),
        (b" a1\t", ("a1",), []),
        (b"a[1-2]", ("a1", "a2"), []),
        (b"caf\xe9", ("caf\udce9",), []),
        (b"[warn]", ("[warn]",), ["[warn]"]),
        (b"@nosuch", ("@nosuch",), ["@nosuch"]),
        (b"@web", ("web1", "web2", "web3"), []),
        (b"Last login", (), []),
        (b"", (), []),
        (b"  ", (), []),
    ],
)
def test_labels_that_may_be_node_sets(
    site_groups: Path, label: bytes, names: tuple[str, ...], odd: list[str]
) -> None:
    """What cannot be one is a name as it is; what has blanks inside is no label."""
    labels = Labels()

    assert (labels.nodes(label), list(labels.odd)) == (names, odd)


def test_labels_that_are_names() -> None:
    """Whatever they look like."""
    labels = Labels("never")

    assert [labels.nodes(label) for label in (b"a[1-2]", b"@web", b"Last login", b"")] == [
        ("a[1-2]",),
        ("@web",),
        ("Last login",),
        (),
    ]
    assert list(labels.odd) == ["a[1-2]", "@web", "Last login"]


@pytest.mark.parametrize("label", [b"[warn]", b"Last login", b"a[1-"])
def test_labels_that_must_be_node_sets(label: bytes) -> None:
    """Else it ends with a reason."""
    with pytest.raises(NodeSetError, match=r"^label '.*' is no node set: "):
        Labels("always").nodes(label)
