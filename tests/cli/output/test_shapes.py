"""What texts have in common but for names, numbers and times."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.output.shapes import own_names, pieces, shape_of, similarity_key

pytestmark = pytest.mark.one_loop("the command line runs on its own loop")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"web1 is up", b"web2 is up"),
        (b"web1.site.org is up", b"web2.site.org is up"),
        (b"web1-eth0: web1_data, /mnt/web1", b"web2-eth0: web2_data, /mnt/web2"),
        (b"12 of 1,024 GB, 5% at -3.5, 0xdead", b"7 of 9 GB, 11% at -12, 0x0"),
        (b"16GB", b"8GB"),
        (b"  5% /", b" 15% /"),
        (b"5    x", b"15   x"),
        (b"Mon Jan  2 15:04:05 UTC 2006", b"Tue Feb 10 16:04:05 UTC 2006"),
        (b"Sunday, May 5", b"Monday, June 10"),
        (b"2 Jan 2006 1:00", b"12 Feb 2006 10:59"),
        (b"2006-01-02T15:04:05.123Z", b"2026-11-12T00:00:00.5Z"),
        (b"", b""),
    ],
)
def test_similar(one: bytes, other: bytes) -> None:
    """They differ in their own names, numbers and times."""
    assert similarity_key(one, "web1") == similarity_key(other, "web2")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"web10 is up", b"web2 is up"),
        (b"web1x is up", b"web2x is up"),
        (b"web2 is up", b"web2 is up, too"),
        (b"eth0 is up", b"eth1 is up"),
        (b"12:30 OKAY", b"12:31 FAIL"),
        (b"Mon is up", b"Tue is up"),
        (b"Marvin 3", b"Junior 3"),
        (b"5", b"x"),
        (b"5", b"\0\2"),
        (b"web1", b"\0\1"),
        (b"a b", b"a  b"),
    ],
)
def test_not_similar(one: bytes, other: bytes) -> None:
    """They differ in something else."""
    assert similarity_key(one, "web1") != similarity_key(other, "web2")


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("web1", (b"web1",)),
        ("web1.a.org", (b"web1.a.org", b"web1")),
        ("ssh://root@web1.a.org:22/", (b"web1.a.org", b"web1")),
        ("root@web1:2222", (b"web1",)),
        ("10.0.0.1", (b"10.0.0.1",)),
        ("fe80::1", (b"fe80::1",)),
        ("root@[fe80::1%eth0]:22", (b"fe80::1%eth0",)),
        ("7", ()),
        ("a\udcff", (b"a\xff",)),
    ],
)
def test_own_names(node: str, names: tuple[bytes, ...]) -> None:
    """With its domain and without; an address is one name, a number is none."""
    assert own_names(node) == names


def test_what_is_left_out() -> None:
    """The values come in order, and it is told whether a name was among them."""
    shape = shape_of(b"web1: 12 of 0x1F on Jan  2", (b"web1",))

    assert (shape.values, shape.named) == ((b"12", b"0x1F", b"Jan  ", b"2"), True)
    assert shape_of(b"web10", (b"web1",)).named is False


def _marked(text: bytes, node: str = "web1") -> bytes:
    """The text with all marks there may be."""
    names = own_names(node)
    return b"".join(piece for piece, _ in pieces(text, names, [True] * len(shape_of(text, names).values)))


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        (b"web1 5 x", b"<node> <n> x"),
        (b"at Mon Jan  2 15:04:05 UTC 2006: 5", b"at <time>: <n>"),
        (b"2006-01-02T10:00:00Z 1.2.3.4:22", b"<time> <n>:<n>"),
        (b"[12:30:01] web1-eth0", b"[<time>] <node>-eth0"),
        (b"\0 \0\1 web1", b"\0 \0\1 <node>"),
    ],
)
def test_marks(text: bytes, marked: bytes) -> None:
    """A time is one mark; bytes that look like our own signs stay what they are."""
    assert _marked(text) == marked


def test_only_what_differs_is_marked() -> None:
    """A time as a whole, if some of it does."""
    text = b"load 3 of 8 at 12:30:01"

    found = list(pieces(text, (), [True, False, False, False, True]))

    assert found == [
        (b"load ", False),
        (b"<n>", True),
        (b" of 8 at ", False),
        (b"<time>", True),
        (b"", False),
    ]


_TEXTS = st.lists(
    st.sampled_from([b"web1", b"5", b"12:30", b"Jan 2", b"Mon ", b" ", b"\0", b"\1", b"\2", b"x", b"-", b"."])
).map(b"".join)


@given(_TEXTS)
def test_without_marks_a_text_stays_what_it_is(text: bytes) -> None:
    """Whatever is in it."""
    shape = shape_of(text)

    assert b"".join(piece for piece, _ in pieces(text, (), [False] * len(shape.values))) == text
    assert similarity_key(text, "web1") == similarity_key(text, "web1")


@pytest.mark.parametrize(
    "text",
    [b" " * 50_000, b"1," * 25_000, b"Mon, " * 10_000, b"5" + b" " * 50_000 + b"x", b"web1" * 12_500],
    ids=lambda text: repr(text[:6]),
)
def test_time_is_in_proportion_to_the_size(text: bytes) -> None:
    """Nothing that a node prints makes it slow."""
    before = time.process_time()

    _marked(text)

    assert time.process_time() - before < 1.0
