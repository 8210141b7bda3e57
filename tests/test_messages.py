"""Tests of asynctask.messages."""

from __future__ import annotations

import gc
import os
import pickle
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support  # noqa: F401 - sets up hypothesis
from asynctask.messages import EMPTY, Cursor, Message, MsgTree, group

# Who writes next, and what: few letters, so that writers often agree for a while and then differ.
WRITES = st.lists(
    st.tuples(st.integers(0, 4), st.text(alphabet="ab\r\n", max_size=6).map(str.encode)), max_size=40
)


def _tree(*outputs: bytes) -> tuple[MsgTree, list[Message]]:
    tree = MsgTree()
    messages = []
    for output in outputs:
        cursor = tree.cursor()
        tree.add(cursor, output)
        messages.append(tree.message(cursor))
    return tree, messages


def _without_last_newline(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r") if raw.endswith(b"\n") else raw


@given(WRITES)
def test_each_writer_gets_back_what_it_wrote(writes: list[tuple[int, bytes]]) -> None:
    """However the chunks of several writers alternate, each has its own bytes, at every moment."""
    tree, model = MsgTree(), dict.fromkeys(range(5), b"")
    cursors = {writer: tree.cursor() for writer in model}
    for writer, chunk in writes:
        tree.add(cursors[writer], chunk)
        model[writer] += chunk
        assert {w: tree.message(cursor).raw for w, cursor in cursors.items()} == model


@given(WRITES)
def test_messages_taken_earlier_stay_as_they_were(writes: list[tuple[int, bytes]]) -> None:
    """What was handed out does not change when the tree grows and splits."""
    tree = MsgTree()
    cursors: dict[int, Cursor] = {}
    written: dict[int, bytes] = {}
    taken: list[tuple[Message, bytes]] = []
    for writer, chunk in writes:
        cursor = cursors.setdefault(writer, tree.cursor())
        tree.add(cursor, chunk)
        written[writer] = written.get(writer, b"") + chunk
        taken.append((tree.message(cursor), written[writer]))
    for message, raw in taken:
        assert (message.raw, len(message), bool(message)) == (raw, len(raw), raw != b"")


@given(WRITES)
def test_groups_are_those_of_a_plain_dict(writes: list[tuple[int, bytes]]) -> None:
    """Same output without the last newline: one group; in the order given; nothing for no output."""
    tree = MsgTree()
    cursors = {writer: tree.cursor() for writer in range(5)}
    written = dict.fromkeys(range(5), b"")
    for writer, chunk in writes:
        tree.add(cursors[writer], chunk)
        written[writer] += chunk
    expected: dict[bytes, list[int]] = {}
    for writer, raw in written.items():
        if raw:
            expected.setdefault(_without_last_newline(raw), []).append(writer)
    grouped = group((writer, tree.message(cursor)) for writer, cursor in cursors.items())
    assert [(bytes(message), keys) for message, keys in grouped] == list(expected.items())


@given(WRITES)
def test_equal_means_equal_bytes(writes: list[tuple[int, bytes]]) -> None:
    """Equality and hash follow the bytes without the last newline, wherever they lie in the tree."""
    tree = MsgTree()
    cursors = {writer: tree.cursor() for writer in range(5)}
    for writer, chunk in writes:
        tree.add(cursors[writer], chunk)
    messages = [tree.message(cursor) for cursor in cursors.values()]
    for one in messages:
        for other in messages:
            assert (one == other) is (bytes(one) == bytes(other))
        assert one == bytes(one)
        assert hash(one) == hash(bytes(one))


@pytest.mark.parametrize(
    ("raw", "without"),
    [
        (b"", b""),
        (b"\n", b""),
        (b"\r\n", b""),
        (b"a", b"a"),
        (b"a\n", b"a"),
        (b"a\r\n", b"a"),
        (b"a\r", b"a\r"),
        (b"a\n\n", b"a\n"),
        (b"\xff\xfe\n", b"\xff\xfe"),
    ],
)
def test_bytes_leave_out_the_last_newline(raw: bytes, without: bytes) -> None:
    """As ClusterShell's buffers have it; ``raw`` is byte for byte."""
    _, (message,) = _tree(raw)
    assert message.raw == raw
    assert bytes(message) == without


def test_lines_come_without_their_ends() -> None:
    """On demand, iterated or as a list."""
    _, (message,) = _tree(b"a\r\nb\rc\n\nd")
    assert message.lines() == list(message) == [b"a", b"b\rc", b"", b"d"]


def test_text_replaces_what_is_not_utf8() -> None:
    """One bad byte does not make output unreadable."""
    _, (message,) = _tree("grün\n".encode() + b"\xff\n")
    assert str(message) == "grün\n\N{REPLACEMENT CHARACTER}"


def test_output_that_differs_only_in_its_last_newline_is_one_group() -> None:
    """The first of them stands for all."""
    _, messages = _tree(b"same", b"same\n", b"same\r\n", b"other\n", b"same\r")
    grouped = group(zip("abcde", messages, strict=True))
    assert [(message.raw, keys) for message, keys in grouped] == [
        (b"same", ["a", "b", "c"]),
        (b"other\n", ["d"]),
        (b"same\r", ["e"]),
    ]


def test_messages_of_several_trees_are_compared_by_their_bytes() -> None:
    """As those of the batches of a run are; keys stay in the order given, one tree after the other."""
    trees = [MsgTree(), MsgTree()]
    said = [(0, b"a\n"), (1, b"b\n"), (1, b"a"), (0, b"b\r\n"), (1, b"c\n")]
    messages = []
    for key, (tree, text) in enumerate(said):
        cursor = trees[tree].cursor()
        trees[tree].add(cursor, text)
        messages.append((key, trees[tree].message(cursor)))

    assert [(bytes(message), keys) for message, keys in group(messages)] == [
        (b"a", [0, 2]),
        (b"b", [1, 3]),
        (b"c", [4]),
    ]


def test_an_empty_line_is_output() -> None:
    """A writer that printed a newline has a group, one that printed nothing has none."""
    _, messages = _tree(b"", b"\n")
    assert [(message.raw, keys) for message, keys in group(zip("ab", messages, strict=True))] == [
        (b"\n", ["b"])
    ]


def test_a_message_has_the_name_that_clustershell_gives_it() -> None:
    """Scripts ask for ``buffer.message()``."""
    tree = MsgTree()
    cursor = tree.cursor()
    tree.add(cursor, b"hello\n")
    assert tree.message(cursor).message() == b"hello"


def test_a_message_is_not_equal_to_text() -> None:
    """Output is bytes; comparing it with text is a mistake, and says no."""
    _, (message,) = _tree(b"a")
    assert message != "a"


def test_a_writer_without_output_has_the_empty_message() -> None:
    """It is false, has no lines and no length."""
    tree = MsgTree()
    message = tree.message(tree.cursor())
    assert message is EMPTY
    assert (message.raw, bytes(message), message.lines(), len(message), bool(message)) == (
        b"",
        b"",
        [],
        0,
        False,
    )


def test_the_repr_has_no_output() -> None:
    """Output may hold secrets."""
    _, (message,) = _tree(b"password\n")
    assert repr(message) == "<Message of 9 bytes>"


def test_a_message_can_be_pickled_without_its_tree() -> None:
    """Results travel; the output of other nodes does not go with them."""
    _, (message, _other) = _tree(b"abc\n", b"abd" + b"x" * 100_000)
    data = pickle.dumps(message)
    assert len(data) < 1000
    assert pickle.loads(data).raw == b"abc\n"
    assert pickle.loads(pickle.dumps(EMPTY)) is EMPTY


def _memory(build: Callable[[], object]) -> int:
    """How many bytes live on when ``build`` has returned."""
    gc.collect()
    tracemalloc.start()
    try:
        kept = build()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        del kept


def test_the_same_output_of_10000_writers_costs_one_copy() -> None:
    """64 KiB each, in chunks of 16 KiB, all writers in step: less than two copies and a few words each."""
    chunks = [os.urandom(16384) for _ in range(4)]

    def build() -> object:
        tree = MsgTree()
        cursors = [tree.cursor() for _ in range(10_000)]
        for chunk in chunks:
            for cursor in cursors:
                tree.add(cursor, chunk)
        return tree, cursors

    words = _memory(lambda: [Cursor(MsgTree()._root) for _ in range(1000)]) * 10
    assert _memory(build) < 2 * 65536 + words


def test_different_output_costs_its_bytes() -> None:
    """200 writers of 16 KiB that share nothing: at most a quarter more than what they wrote."""
    outputs = [os.urandom(16384) for _ in range(200)]

    def build() -> object:
        tree = MsgTree()
        cursors = [tree.cursor() for _ in outputs]
        for start in range(0, 16384, 4096):
            for cursor, output in zip(cursors, outputs, strict=True):
                tree.add(cursor, output[start : start + 4096])
        return tree, cursors

    assert _memory(build) < 1.25 * 200 * 16384


def test_writers_that_differ_late_share_what_comes_before() -> None:
    """100 writers with a common 64 KiB and a last line of their own."""
    common = os.urandom(65536)

    def build() -> object:
        tree = MsgTree()
        cursors = [tree.cursor() for _ in range(100)]
        for rank, cursor in enumerate(cursors):
            tree.add(cursor, common)
            tree.add(cursor, b"%d\n" % rank)
        return tree, cursors

    assert _memory(build) < 2 * 65536 + 100 * 1000


def test_one_odd_byte_in_the_middle_splits_once() -> None:
    """The odd one out shares the start, and the others stay one branch."""
    same = bytes(65536)
    odd = bytes(30000) + b"x" + bytes(35535)
    tree, messages = _tree(*[same] * 50, odd, *[same] * 49)
    assert [(len(keys), message.raw) for message, keys in group(enumerate(messages))] == [
        (99, same),
        (1, odd),
    ]
    (upper,) = (tree._root.children or {}).values()
    assert (len(upper.data), sorted(upper.children or {})) == (30000, [0, ord("x")])


def test_a_very_deep_tree_is_no_problem() -> None:
    """1000 writers leave the common way one line after the other: no recursion, every byte there."""
    lines = [b"line %d\n" % number for number in range(1000)]
    tree = MsgTree()
    cursors = [tree.cursor() for _ in lines]
    for rank, cursor in enumerate(cursors):
        tree.add(cursor, b"".join(lines[:rank]) + b"odd\n")
    messages = [tree.message(cursor) for cursor in cursors]
    assert len(group(enumerate(messages))) == 1000
    assert messages[-1].raw == b"".join(lines[:999]) + b"odd\n"
    assert messages[500].lines()[498:] == [b"line 498", b"line 499", b"odd"]
