"""Lines by node."""

from __future__ import annotations

import io

import pytest

from asynctask.cli.gathering.labels import Labels, Split
from asynctask.cli.gathering.reading import Gathered, chunks

pytestmark = pytest.mark.one_loop("no event loop runs here")


def _gathered(*data: bytes, split: Split | None = None) -> Gathered:
    found = Gathered(Labels(), split or Split())
    for piece in data:
        found.add(piece)
    return found


def _texts(found: Gathered) -> dict[str, bytes]:
    return {name: message.raw for name, message in found.messages().items()}


@pytest.mark.parametrize(
    ("data", "texts"),
    [
        (b"", {}),
        (b"a: 1\nb: 2\na: 3\n", {"a": b"1\n3\n", "b": b"2\n"}),
        (b"a: 1", {"a": b"1\n"}),
        (b"a: \n", {"a": b"\n"}),
        (b"a:\na: \n", {"a": b"\n\n"}),
        (b"a: x: y\n", {"a": b"x: y\n"}),
        (b"a:x: y\n", {"a": b"x: y\n"}),
        (b"a:  x\na:\tx\n", {"a": b" x\n\tx\n"}),
        (b"a: \xff\0\x1b\n", {"a": b"\xff\0\x1b\n"}),
        (b"a: 1\r2\n", {"a": b"1\r2\n"}),
        (b"a: 1\r\na: 2\n", {"a": b"1\r\n2\n"}),
        (b"a: 1\r\n", {"a": b"1\r\n"}),
        (b"a[1-2]: x\na1: y\na[1-2]: z\n", {"a1": b"x\ny\nz\n", "a2": b"x\nz\n"}),
        (b" a : x\na: y\n", {"a": b"x\ny\n"}),
    ],
)
def test_text_by_node(data: bytes, texts: dict[str, bytes]) -> None:
    """In the order of the lines, byte for byte."""
    assert _texts(_gathered(data)) == texts


def test_it_may_come_in_pieces() -> None:
    """Of whole lines."""
    found = _gathered(b"a: 1\r\nb: 1\n", b"b: 2\n", b"a: \na: 3")

    assert _texts(found) == {"a": b"1\r\n\n3\n", "b": b"1\n2\n"}
    assert found.lines == 5


def test_another_separator() -> None:
    """All that follows is text."""
    assert _texts(_gathered(b"a: 1\nb| 2\na|x|y\n", split=Split(b"|", blank=False))) == {
        "b": b" 2\n",
        "a": b"x|y\n",
    }


def test_lines_without_label() -> None:
    """They are counted, and the first one is known."""
    found = _gathered(b"a: 1\na\n\nLast login: now\n: x\nb: 1\n", b"c\n")

    assert _texts(found) == {"a": b"1\n", "b": b"1\n"}
    assert (found.unlabelled.count, found.unlabelled.number, found.unlabelled.line) == (5, 2, b"a")


def test_the_number_of_a_line_counts_all_pieces() -> None:
    """And does not mind what else is in the piece."""
    found = _gathered(b"a: 1\na: 2\n", b"a: 3\nlost\nlost\n")

    assert (found.unlabelled.count, found.unlabelled.number) == (2, 4)


def test_the_same_text_is_kept_once() -> None:
    """Messages of one tree that are the same are at one place."""
    messages = _gathered(b"a: 1\nb: 1\nb: 2\na: 2\n").messages()

    assert messages["a"]._place() == messages["b"]._place()


@pytest.mark.parametrize(
    ("data", "pieces"),
    [
        (b"", []),
        (b"abc", [b"abc"]),
        (b"ab\ncd\n", [b"ab\n", b"cd\n"]),
        (b"abcdefghij\nk", [b"abcdefghij\n", b"k"]),
        (b"\n\n\n\n\n", [b"\n\n\n\n", b"\n"]),
    ],
)
def test_chunks_have_whole_lines(data: bytes, pieces: list[bytes]) -> None:
    """However long a line is."""
    assert list(chunks(io.BytesIO(data), 4)) == pieces
