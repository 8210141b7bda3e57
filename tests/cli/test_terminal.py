"""What goes to a terminal."""

from __future__ import annotations

import os
import pty
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynctask.cli.terminal import _UNSAFE, _WRITTEN_OUT, encoded, is_terminal, visible


@pytest.mark.parametrize(
    "text", ["", "plain\ttext\n", "größe", "日本語", "naïve café", "e\u0301", "👩\u200d🔬", "\u00a0"]
)
def test_text_stays(text: str) -> None:
    """Letters of all scripts, newlines and tabs are as they were."""
    assert visible(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"\x1b[31mred", b"^[[31mred"),
        (b"over\rwritten", b"over^Mwritten"),
        (b"\0\a\b\v\f", b"^@^G^H^K^L"),
        (b"\x7f", b"^?"),
        ("\x9b31m\x85".encode(), rb"\x9b31m\x85"),
        ("a\u202eb\u2066c\u200fd\u061c".encode(), rb"a\u202eb\u2066c\u200fd\u061c"),
        ("a\u2028b\u2029".encode(), rb"a\u2028b\u2029"),
    ],
)
def test_control_characters_are_written_out(data: bytes, shown: bytes) -> None:
    """Those of ASCII and of ISO 8859-1, separators, and what changes the direction of writing."""
    assert visible(data) == shown


@pytest.mark.parametrize("data", [b"\x9b31m", b"\xff", b"\xe2\x80", b"\xed\xb2\x80", b"\xc1\x9b"])
def test_what_is_not_utf8_is_replaced(data: bytes) -> None:
    """No byte that a terminal in another encoding takes as a control character gets through."""
    assert set(visible(data).decode()) <= {"\ufffd", *"31m"}


def test_every_control_character_is_written_out() -> None:
    """What is looked for and what is replaced are the same characters."""
    found = [chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000 and _UNSAFE.match(chr(code))]

    assert len(found) == len(_WRITTEN_OUT) == 63 + 1 + 2 + 7 + 4
    assert _UNSAFE.search(visible("".join(found).encode()).decode()) is None


@given(st.binary() | st.text().map(str.encode))
def test_nothing_shown_can_drive_a_terminal(data: bytes) -> None:
    """Whatever comes in, what comes out is UTF-8 without control characters but newline and tab."""
    shown = visible(data).decode()

    controls = {character for character in shown if unicodedata.category(character) in {"Cc", "Zl", "Zp"}}
    turns = {character for character in shown if unicodedata.bidirectional(character) in _TURNS}
    assert (controls - {"\n", "\t"}, turns) == (set(), set())


_TURNS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


def test_names_are_as_they_came() -> None:
    """An argument of the command line may hold any bytes."""
    assert encoded("größe\udcff") == "größe".encode() + b"\xff"


def test_is_terminal() -> None:
    """A terminal, something else, nothing."""
    ours, theirs = pty.openpty()
    reader, writer = os.pipe()
    try:
        assert [is_terminal(theirs), is_terminal(writer)] == [True, False]
    finally:
        for fd in (ours, theirs, reader, writer):
            os.close(fd)
    assert not is_terminal(writer)
