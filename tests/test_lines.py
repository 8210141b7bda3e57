"""Tests of asynctask.lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support  # noqa: F401 - sets up hypothesis
from asynctask.lines import DEFAULT_LINE_LIMIT, LineSplitter, PartialLine, split_lines

# Bytes in which line ends are frequent, cut anywhere.
CHUNKS = st.lists(st.text(alphabet="ab\r\n", max_size=12).map(str.encode), max_size=12)
LIMITS = st.integers(min_value=2, max_value=9)


def _all(chunks: list[bytes], limit: int = DEFAULT_LINE_LIMIT) -> list[bytes]:
    splitter = LineSplitter(limit)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.flush()


def _whole(pieces: list[bytes]) -> list[bytes]:
    """The lines, their pieces joined."""
    lines, open_line = [], b""
    for piece in pieces:
        open_line += piece
        if not isinstance(piece, PartialLine):
            lines.append(open_line)
            open_line = b""
    assert not open_line, "a line ends with a plain piece"
    return lines


def _model(data: bytes) -> list[bytes]:
    """What the lines are, said as plainly as possible."""
    *ended, rest = data.split(b"\n")
    lines = [line.removesuffix(b"\r") for line in ended]
    return [*lines, rest] if rest else lines


@given(CHUNKS)
def test_lines_do_not_depend_on_where_chunks_are_cut(chunks: list[bytes]) -> None:
    """Any cut of the same bytes gives the same lines."""
    assert _all(chunks) == _model(b"".join(chunks))


@given(CHUNKS)
def test_split_lines_follows_the_same_rule(chunks: list[bytes]) -> None:
    """A whole buffer splits as its chunks do."""
    data = b"".join(chunks)
    assert split_lines(data) == _model(data)


@given(CHUNKS, LIMITS)
def test_pieces_joined_give_the_lines(chunks: list[bytes], limit: int) -> None:
    """A limit cuts lines into marked pieces and loses nothing."""
    assert _whole(_all(chunks, limit)) == _model(b"".join(chunks))


@given(CHUNKS, LIMITS)
def test_no_piece_is_longer_than_the_limit(chunks: list[bytes], limit: int) -> None:
    """A marked piece has exactly the limit, a plain one at most that."""
    for piece in _all(chunks, limit):
        if isinstance(piece, PartialLine):
            assert len(piece) == limit
        else:
            assert len(piece) <= limit


@given(CHUNKS, LIMITS)
def test_what_waits_is_never_more_than_the_limit(chunks: list[bytes], limit: int) -> None:
    """Memory stays bounded: an unfinished line is handed out when it is too long."""
    splitter = LineSplitter(limit)
    for chunk in chunks:
        splitter.feed(chunk)
        assert len(splitter._tail) <= limit


@given(CHUNKS)
def test_with_line_ends_put_back_the_input_is_the_same(chunks: list[bytes]) -> None:
    """Nothing but line ends is taken off."""
    data = b"".join(chunks).replace(b"\r", b"")
    lines = _all([data])
    joined = b"\n".join(lines) + (b"\n" if data.endswith(b"\n") else b"")
    assert joined == data


def test_a_lone_carriage_return_is_kept() -> None:
    """Only one directly before the newline belongs to the line's end."""
    assert _all([b"a\rb\r\r\nc\r"]) == [b"a\rb\r", b"c\r"]


def test_a_line_end_split_over_two_chunks_is_one() -> None:
    """The carriage return waits for the newline."""
    splitter = LineSplitter()
    assert splitter.feed(b"a\r") == []
    assert splitter.feed(b"\nb\n") == [b"a", b"b"]


def test_a_line_end_split_at_the_limit_is_one() -> None:
    """The carriage return of a line that is exactly too long does not stay in it."""
    splitter = LineSplitter(4)
    pieces = splitter.feed(b"abcd\r") + splitter.feed(b"\n") + splitter.flush()
    assert pieces == [b"abcd", b""]
    assert [type(piece) for piece in pieces] == [PartialLine, bytes]


def test_pieces_are_marked_but_the_last() -> None:
    """A reader sees where a line goes on."""
    pieces = _all([b"abcdefgh\nij\n"], 3)
    assert [(bytes(piece), isinstance(piece, PartialLine)) for piece in pieces] == [
        (b"abc", True),
        (b"def", True),
        (b"gh", False),
        (b"ij", False),
    ]


def test_a_line_as_long_as_the_limit_is_one_piece() -> None:
    """The limit itself is still allowed."""
    pieces = _all([b"abc\n", b"de", b"f", b"\nghi"], 3)
    assert pieces == [b"abc", b"def", b"ghi"]
    assert not any(isinstance(piece, PartialLine) for piece in pieces)


def test_flush_gives_the_unfinished_line_once() -> None:
    """After it the splitter is as new."""
    splitter = LineSplitter()
    splitter.feed(b"a\nb")
    assert splitter.flush() == [b"b"]
    assert splitter.flush() == []
    assert splitter.feed(b"c\n") == [b"c"]


def test_empty_lines_are_lines() -> None:
    """Nothing between two ends is an empty line; nothing after the last is none."""
    assert _all([b"\n\r\n\n"]) == [b"", b"", b""]
    assert _all([b"", b""]) == []


@pytest.mark.parametrize("limit", [1, 0, -5])
def test_a_limit_below_two_is_refused(limit: int) -> None:
    """Pieces of one byte could not tell a lone carriage return."""
    with pytest.raises(ValueError, match=rf"^line limit {limit} is too small: at least 2 bytes$"):
        LineSplitter(limit)


def test_a_line_of_fifty_megabytes_comes_in_pieces_of_one() -> None:
    """The bound of the documentation: 1 MiB, and every byte is there."""
    splitter = LineSplitter()
    chunk = bytes(range(256)).replace(b"\n", b"x") * 256
    count = 50 * (1 << 20) // len(chunk)
    pieces = [piece for _ in range(count) for piece in splitter.feed(chunk)] + splitter.feed(b"\n")
    assert [len(piece) for piece in pieces] == [1 << 20] * 50
    assert [isinstance(piece, PartialLine) for piece in pieces] == [True] * 49 + [False]
    assert b"".join(pieces) == chunk * count
