"""Tests of asynctask.manager.output_blocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.lines import LineSplitter, PartialLine, split_lines
from asynctask.manager.information import OutputLine
from asynctask.manager.output_blocks import HISTORY_BLOCKS, Assembler, History, last_lines
from tests.manager.output_support import block, raw

pytestmark = pytest.mark.one_loop("nothing here has a loop")


def _assembled(assembler: Assembler, chunks: list[bytes]) -> list[bytes]:
    lines: list[bytes] = []
    for chunk in chunks:
        if whole := assembler.lines(chunk):
            lines += block(whole).raw_lines()
        if piece := assembler.piece():
            lines += block(piece, is_piece=True).raw_lines()
    if rest := assembler.rest():
        lines += block(rest).raw_lines()
    return lines


@given(st.lists(st.binary(max_size=20).map(lambda data: data.replace(b"a", b"\n").replace(b"b", b"\r\n"))))
def test_lines_are_those_of_the_line_splitter(chunks: list[bytes]) -> None:
    """However the stream is cut."""
    splitter = LineSplitter()
    expected = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.flush()
    assert _assembled(Assembler(), chunks) == expected


@given(st.lists(st.sampled_from([b"x" * 3, b"y" * 7, b"z\n", b"\n", b"\r", b"\r\n"])))
def test_long_lines_are_cut_and_nothing_is_lost(chunks: list[bytes]) -> None:
    """Pieces up to and including the first that is none make the line."""
    lines, whole = _assembled(Assembler(limit=5), chunks), bytearray()
    joined: list[bytes] = []
    for line in lines:
        whole += line
        if not isinstance(line, PartialLine):
            joined.append(bytes(whole))
            whole.clear()
    assert joined == split_lines(b"".join(chunks))
    assert not whole


def test_a_chunk_of_whole_lines_is_not_copied() -> None:
    """Most are of this kind."""
    chunk = b"a\nb\n"
    assert Assembler().lines(chunk) is chunk


def test_a_block_counts_its_lines() -> None:
    """An unfinished one is one."""
    assert [block(data).count for data in (b"a\n", b"a\nb\n", b"a\nb", b"\n", b"a")] == [1, 2, 2, 1, 1]


def test_lines_tell_whose_they_are() -> None:
    """Each has all of it."""
    made = list(block(b"a\r\nb\n").to_lines([b"a", b"b"]))
    assert made == [OutputLine("web", 7, 0, None, "stdout", line, 1.5) for line in (b"a", b"b")]


def test_a_history_keeps_the_last_bytes() -> None:
    """The last block is kept, however large it is."""
    history = History(size=4)
    for data in (b"a\n", b"b\n", b"c\n"):
        history.add(block(data))
    assert raw(last_lines([history], 9)) == [b"b", b"c"]
    history.add(block(b"long line\n"))
    assert raw(last_lines([history], 9)) == [b"long line"]
    history.add(block(b"d\n"))
    assert raw(last_lines([history], 9)) == [b"d"]


def test_a_history_has_a_bound_for_short_lines_too() -> None:
    """Each takes more memory than its bytes."""
    history = History()
    for number in range(HISTORY_BLOCKS + 3):
        history.add(block(b"%d\n" % number))
    lines = raw(last_lines([history], 10_000))
    assert (lines[0], len(lines)) == (b"3", HISTORY_BLOCKS)


def test_the_last_lines_of_several_histories_are_in_order() -> None:
    """As the blocks came, not by template; a block may be cut."""
    one, two = History(), History()
    one.add(block(b"1\n2\n", 1))
    two.add(block(b"3\n", 2))
    one.add(block(b"4\n", 3))
    assert raw(last_lines([one, two], 3)) == [b"2", b"3", b"4"]
    assert raw(last_lines([one, two], 0)) == []
    assert raw(last_lines([], 3)) == []
