"""What is kept of an output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from asynctask.cli.past.collecting import Collector, kept
from asynctask.cli.past.records import NO_OUTPUT, Output
from tests.cli.past.support import message

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@given(some.lists(some.binary(max_size=7)), some.integers(2, 12))
def test_the_beginning_and_the_end(chunks: list[bytes], limit: int) -> None:
    """In whatever chunks it comes, and as from what was gathered."""
    collector = Collector(limit)
    for chunk in chunks:
        collector.add(chunk)
    whole = b"".join(chunks)

    output = collector.output()

    assert output == kept(message(whole), limit)
    assert output.size == len(whole)
    if len(whole) <= limit:
        assert output == Output(whole, len(whole))
    else:
        assert output.cut == limit // 2
        assert output.data == whole[: limit // 2] + whole[-(limit - limit // 2) :]


def test_no_more_is_held_than_is_kept_and_a_chunk() -> None:
    """However much comes."""
    collector = Collector(10)
    for _ in range(1000):
        collector.add(b"abc")

    assert collector.size == 3000
    assert sum(map(len, (*collector._head, *collector._end))) <= 10 + 3


def test_no_output() -> None:
    """Nothing is made for it."""
    assert kept(message(b""), 10) is NO_OUTPUT
